/**
 * Reads the body of an answer as JSON.
 *
 * @param maxBytes What is longer is not read to its end: whoever answers is not trusted.
 * @returns undefined when the body is longer or no JSON. Rejects when it breaks off.
 */
export async function readJson(response: Response, maxBytes: number): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop cancels the body.
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    // A page of something else: the caller goes by the status.
    return undefined;
  }
}
