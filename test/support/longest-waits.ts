import { mock } from "node:test";

/** Makes every random wait as long as it may be, so that a test knows when it ends. */
export function longestWaits(): Disposable {
  const random = mock.method(Math, "random", () => 1 - Number.EPSILON);
  return { [Symbol.dispose]: () => random.mock.restore() };
}
