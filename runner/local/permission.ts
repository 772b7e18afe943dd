import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";

/** Rights of the group and of everybody. */
const OTHERS = 0o077;

/** What the file system says about a file. */
interface Ownership {
  /** Permission bits, perhaps with the type of the file above them. */
  readonly mode: number;
  /** User id of the owner. */
  readonly uid: number;
}

/**
 * Refuses a file or directory that other users of the machine can read or change. Windows keeps these
 * rights elsewhere, and its per-user folders are closed to others: nothing is checked there.
 *
 * @param mode The right mode, for the command in the message.
 * @throws {GatewayError} `credentials_unsafe`, with the command that repairs it.
 */
export function refuseOthers(path: string, ownership: Ownership, mode: "600" | "700"): void {
  if (process.platform === "win32") return;
  // Not userInfo(), which fails for a user without an account, as containers have them.
  const uid = process.getuid?.();
  if (uid !== undefined && ownership.uid !== uid) {
    throw unsafe(path, "another user owns it", `chown ${uid} ${shellQuote(path)}`);
  }
  if ((ownership.mode & OTHERS) !== 0) {
    const bits = (ownership.mode & 0o777).toString(8).padStart(4, "0");
    const command = `chmod ${mode} ${shellQuote(path)}`;
    throw unsafe(path, `other users can open it (mode ${bits})`, command);
  }
}

function unsafe(path: string, why: string, command: string): GatewayError {
  return new GatewayError(
    "credentials_unsafe",
    `Cannot use ${printable(path)}: ${why}, run: ${command}`,
  );
}

/** `text` as one word of a POSIX shell. */
function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
