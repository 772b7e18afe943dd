/**
 * Pulls in their order: of the same image one for all who wait for it, of others two at a time, so that
 * one slow registry holds up nobody else's server. Called by pinned.ts.
 *
 * @module
 */
import type { Engine } from "../docker/engine.ts";
import { pullImage } from "./pull.ts";

/** Pulls that run at once in this process. */
const MAX_PULLS = 2;

interface Pull {
  readonly done: Promise<void>;
  readonly listeners: Set<(line: string) => void>;
}

const underWay = new Map<string, Pull>();
const waiting: (() => void)[] = [];
let running = 0;

/**
 * Pulls `reference` like `pullImage`; joins a pull of it that is under way, and fails with it.
 *
 * @throws {GatewayError} `image_missing`; `engine_unavailable`.
 */
export async function queuePull(
  engine: Engine,
  reference: string,
  progress: (line: string) => void,
): Promise<void> {
  const key = `${engine.endpoint} ${reference}`;
  let pull = underWay.get(key);
  if (pull === undefined) {
    const listeners = new Set([progress]);
    const tell = (line: string) => listeners.forEach((listener) => listener(line));
    const done = inTurn(
      () => pullImage(engine, reference, tell),
      () => tell(`Waiting to pull image ${reference}, after others`),
    );
    pull = { done, listeners };
    underWay.set(key, pull);
    const forget = () => void underWay.delete(key);
    done.then(forget, forget);
  }
  pull.listeners.add(progress);
  await pull.done;
}

async function inTurn(work: () => Promise<void>, onWait: () => void): Promise<void> {
  if (running >= MAX_PULLS) {
    onWait();
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running++;
  try {
    await work();
  } finally {
    // The place goes to the next in line, or is free.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
