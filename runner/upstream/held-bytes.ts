import { GatewayError } from "../../src/errors.ts";

/** Parts of answers that are kept at a time, in bytes: many large answers may come at once. */
const MAX_HELD_BYTES = 128 * 1024 * 1024;

/** How much of the answers of one upstream is kept because its end has not come. */
export class HeldBytes {
  #held = 0;

  /** Opens an account for one answer; `close` gives back what it holds. */
  open(): { readonly set: (bytes: number) => void; readonly close: () => void } {
    let own = 0;
    const set = (bytes: number): void => {
      this.#held += bytes - own;
      own = bytes;
      if (bytes > 0 && this.#held > MAX_HELD_BYTES) {
        throw new GatewayError(
          "result_too_large",
          `Cannot read the answer: those that come now are longer than ${MAX_HELD_BYTES} bytes ` +
            "together",
        );
      }
    };
    return { set, close: () => set(0) };
  }
}
