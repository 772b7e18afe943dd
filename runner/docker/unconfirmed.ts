/**
 * Containers of which nobody knows whether the engine has made them: it did not answer, or its answer was
 * lost. Nothing of them runs, and they would stay until this runner has ended. Called by create.ts.
 *
 * @module
 */
import { isRefusal } from "./deadline.ts";
import type { Engine } from "./engine.ts";

/** Their names, by the endpoint of the engine. */
const unconfirmed = new Map<string, Set<string>>();

/** Creates one container, and makes sure before that none of the earlier attempts has left one. */
export async function createConfirmed<T>(
  { endpoint }: Engine,
  name: string | undefined,
  { create, remove }: {
    readonly create: () => Promise<T>;
    /** Removes a container by its name, if it is there. */
    readonly remove: (name: string) => Promise<void>;
  },
): Promise<T> {
  const left = unconfirmed.get(endpoint) ?? [];
  unconfirmed.delete(endpoint);
  for (const each of left) {
    // As it does not answer to this either, the next one tries again.
    await remove(each).catch(() => note(endpoint, each));
  }
  try {
    return await create();
  } catch (error) {
    if (name !== undefined && !isRefusal(error)) note(endpoint, name);
    throw error;
  }
}

function note(endpoint: string, name: string): void {
  unconfirmed.set(endpoint, (unconfirmed.get(endpoint) ?? new Set()).add(name));
}
