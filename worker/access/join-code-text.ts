/**
 * The text of a join code: drawn and shown by the worker, typed by a person, read again.
 *
 * @module
 */
/**
 * The 20 letters of a join code (RFC 8628 §6.1): no vowels, so no words; no digits, so nothing that
 * looks like a letter; one case.
 */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";

/** Letters of one code: 20^8 codes, 34.6 bits. */
const LENGTH = 8;

const CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`, "i");

/** Longest text that is looked at; room for the separators that people type. */
const MAX_TYPED_LENGTH = 32;

/** Bytes from here on are drawn again: 256 is not a multiple of 20, and the rest would favour some. */
const FAIR_BYTES = 256 - 256 % LETTERS.length;

/**
 * Eight letters, each of the 20 equally likely.
 *
 * @param fill Fills its argument with random bytes; tests pass their own.
 */
export function drawJoinCode(fill: (bytes: Uint8Array<ArrayBuffer>) => void = fillRandom): string {
  let letters = "";
  const bytes = new Uint8Array(LENGTH);
  while (letters.length < LENGTH) {
    fill(bytes);
    for (const byte of bytes) {
      if (byte < FAIR_BYTES) letters += LETTERS.charAt(byte % LETTERS.length);
    }
  }
  return letters.slice(0, LENGTH);
}

/** A code as people read it: `XXXX-XXXX`. */
export function formatJoinCode(letters: string): string {
  return `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`;
}

/**
 * The eight letters of a code as somebody typed it, in any case, with hyphens, dashes and spaces anywhere;
 * undefined for what cannot be a code.
 */
export function readJoinCode(typed: string): string | undefined {
  if (typed.length > MAX_TYPED_LENGTH) return undefined;
  const letters = typed.replaceAll(/[\s\-\u2010-\u2015]/g, "");
  return CODE.test(letters) ? letters.toUpperCase() : undefined;
}

function fillRandom(bytes: Uint8Array<ArrayBuffer>): void {
  crypto.getRandomValues(bytes);
}
