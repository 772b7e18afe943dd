import { open } from "node:fs/promises";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { refuseOthers } from "./permission.ts";

/**
 * Text of a file of the state directory that nobody else can open; undefined when there is no file, empty
 * when it has more than `maxBytes`, which nothing of ours has.
 *
 * @throws {GatewayError} `credentials_unsafe` with the command that repairs it, `store_unavailable` when
 * it cannot be read.
 */
export async function readPrivateFile(path: string, maxBytes: number): Promise<string | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new GatewayError(
      "store_unavailable",
      `Cannot read ${
        printable(path)
      }: the system answers ${code}, repair it or set MCP_RUNNER_HOME`,
      { cause },
    );
  }
  try {
    // Of the open file, which cannot be swapped between the check and the reading.
    const facts = await file.stat();
    refuseOthers(path, facts, "600");
    return facts.size > maxBytes ? "" : await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
