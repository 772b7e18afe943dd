import * as v from "valibot";
import { GatewayError } from "../src/errors.ts";
import { printable } from "../src/log.ts";
import { type RunnerStatus, runnerStatus } from "./inspection.ts";
import { askOwners } from "./local/owner.ts";

const { pid, config, origin, since } = runnerStatus.entries;

/** What every version says of itself; what else there is may be of another form. */
const presence = v.object({ pid, config, origin, since });

const answer = v.pipe(v.string(), v.parseJson(), v.looseObject(presence.entries));

/** A runner that serves a config now. */
export interface RunningRunner extends v.InferOutput<typeof presence> {
  /** Undefined for one that has just begun, or of another version, whose servers cannot be told. */
  readonly status: RunnerStatus | undefined;
}

/**
 * Two runners of one config would start every server twice, and take the tunnel from each other: the one
 * that claimed it first goes on.
 *
 * @param me What this one says of itself to others, since now at the earliest.
 * @throws {GatewayError} `usage` when another serves this config for the same worker.
 */
export async function refuseSecond(
  { home, owner }: { readonly home: string; readonly owner: string },
  me: v.InferOutput<typeof presence> & { readonly since: number },
): Promise<void> {
  for (const other of await runningRunners(home, owner)) {
    if (other.config !== me.config || other.origin !== me.origin) continue;
    // One that has not said since when yet asks after this one, and will find it.
    if ((other.since ?? Infinity) > me.since) continue;
    throw new GatewayError(
      "usage",
      `Cannot serve ${printable(me.config)}: process ${other.pid} does so already, stop that first`,
    );
  }
}

/** The runners of this state directory that serve a config now, but that of the owner `except`. */
export async function runningRunners(
  home: string,
  except?: string,
): Promise<readonly RunningRunner[]> {
  const texts = await askOwners(home, except);
  return texts.flatMap((text): readonly RunningRunner[] => {
    const parsed = v.safeParse(answer, text);
    if (!parsed.success) return [];
    const status = v.safeParse(runnerStatus, parsed.output);
    return [{ ...parsed.output, status: status.success ? status.output : undefined }];
  });
}
