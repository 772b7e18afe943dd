import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/**
 * Signs texts that clients keep for us, so that only we can have made what comes back (HMAC-SHA-256). The
 * key lives as long as the process: what an earlier one has signed is void.
 */
export class Seal {
  readonly #key = randomBytes(32);
  readonly #purpose: string;

  /** @param purpose What is signed for one purpose is not good for another. */
  constructor(purpose: string) {
    this.#purpose = purpose;
  }

  /** `value` as text of the letters of base64url and one ".": readable, and signed. */
  seal(value: unknown): string {
    const payload = Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${payload}.${this.#sign(payload).toString("base64url")}`;
  }

  /** What `seal` was given; undefined for a text that it did not make. */
  open(text: string): unknown {
    const dot = text.indexOf(".");
    if (dot < 0) return undefined;
    const payload = text.slice(0, dot);
    // The texts are compared, not their bytes: base64url has more than one text for the same bytes.
    const expected = Buffer.from(this.#sign(payload).toString("base64url"));
    const given = Buffer.from(text.slice(dot + 1));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    return JSON.parse(Buffer.from(payload, "base64url").toString());
  }

  #sign(payload: string): Buffer {
    return createHmac("sha256", this.#key).update(`${this.#purpose}\n${payload}`).digest();
  }
}
