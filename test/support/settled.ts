import { setImmediate } from "node:timers/promises";

/** Lets everything happen that needs no time to pass: promises settle, and what follows from them. */
export async function settled(): Promise<void> {
  await setImmediate();
  await setImmediate();
}
