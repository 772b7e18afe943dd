/**
 * Digests of secrets: the store keeps these in place of tokens and codes.
 *
 * @module
 */
/** SHA-256 of `text` in lower-case hexadecimal: what is kept of a token or a code instead of itself. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Whether two digests are equal, in a time that does not depend on where they differ. What a stranger
 * sends is always hashed before, so this is the second of two locks on the same door.
 */
export function sameDigest(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
