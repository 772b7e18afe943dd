import { GatewayError } from "../../src/errors.ts";

/** More than any secret may have. */
const MAX_BYTES = 128 * 1024;

/** What is needed of stdin. */
export interface HiddenInput extends AsyncIterable<Buffer | string> {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  pause?(): unknown;
}

/**
 * Asks for a line that is not shown as it is typed; where the input is no terminal, all of it without
 * asking. Ctrl-C ends the program as elsewhere, Ctrl-U and backspace correct.
 *
 * @param interrupt Does what Ctrl-C does elsewhere: a terminal sends no signal meanwhile.
 * @throws {GatewayError} `usage` for what is not UTF-8 or far too long.
 */
export async function readHidden(
  question: string,
  input: HiddenInput,
  output: { write(text: string): unknown },
  interrupt: () => void,
): Promise<string> {
  if (!input.isTTY) return await readAll(input);
  output.write(question);
  input.setRawMode?.(true);
  try {
    return await readLine(input, interrupt);
  } finally {
    input.setRawMode?.(false);
    input.pause?.();
    output.write("\n");
  }
}

async function readLine(input: HiddenInput, interrupt: () => void): Promise<string> {
  const decoder = new TextDecoder();
  let line = "";
  for await (const chunk of input) {
    const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    for (const character of text) {
      switch (character) {
        case "\r":
        case "\n":
        case "\x04":
          return line;
        case "\x03":
          interrupt();
          throw new GatewayError("usage", "Interrupted");
        case "\x15":
          line = "";
          break;
        case "\x7f":
        case "\b":
          line = [...line].slice(0, -1).join("");
          break;
        default:
          line += character;
      }
    }
    if (line.length > MAX_BYTES) throw tooLong();
  }
  return line;
}

async function readAll(input: HiddenInput): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
    length += bytes.length;
    if (length > MAX_BYTES) throw tooLong();
    chunks.push(bytes);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new GatewayError("usage", "Cannot read stdin: it is not UTF-8 text", { cause });
  }
}

function tooLong(): GatewayError {
  return new GatewayError("usage", `Cannot read this: it has more than ${MAX_BYTES} bytes`);
}
