import { constants, open, realpath } from "node:fs/promises";
import { isAbsolute, relative } from "node:path";
import { GatewayError } from "../../src/errors.ts";

/** Most bytes of a file with a secret. */
const MAX_BYTES = 64 * 1024;

/**
 * The text of a file with a secret, and its permission bits.
 *
 * @param home The state directory: its files are no server's.
 * @throws {GatewayError} `secret_missing`; the message is the reason alone.
 */
export async function readSecretFile(
  path: string,
  home: string,
): Promise<{ readonly value: string; readonly mode: number }> {
  try {
    const real = await realpath(path);
    const within = relative(await realpath(home), real);
    if (!within.startsWith("..") && !isAbsolute(within)) {
      throw refused("it is a file of mcp-runner's own");
    }
    // Not waiting for somebody who writes, should it be a pipe.
    const file = await open(real, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const facts = await file.stat();
      if (!facts.isFile()) throw refused("it is not a regular file");
      if (facts.size > MAX_BYTES) throw refused(`it has more than ${MAX_BYTES} bytes`);
      const bytes = await file.readFile();
      const value = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      return { value, mode: facts.mode };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (error instanceof TypeError) throw refused("it is not UTF-8 text", error);
    const { code } = error as NodeJS.ErrnoException;
    const words: Readonly<Record<string, string>> = {
      ENOENT: "there is no such file",
      EACCES: "this user may not read it",
      EISDIR: "it is a folder",
    };
    throw refused(words[code ?? ""] ?? `the system answers ${code}`, error);
  }
}

function refused(why: string, cause?: unknown): GatewayError {
  return new GatewayError("secret_missing", why, { cause });
}
