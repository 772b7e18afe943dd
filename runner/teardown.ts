/**
 * What has to be undone when something ends, or could not be made in full: the latest first, each step
 * whatever became of those before it.
 */
export class Teardown {
  readonly #steps: Array<() => Promise<void> | void> = [];

  /** From now on `step` is part of the end. */
  add(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }

  /** Takes every step once; rejects at the end with what the first failure was. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
