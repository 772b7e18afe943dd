import { mkdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { posix, win32 } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { stateDirectory } from "../../src/state-path.ts";
import { refuseOthers } from "./permission.ts";

/** What the place of the state directory depends on; tests pass their own. */
export interface HomeMachine {
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Home folder of the user, absolute; empty when there is none. */
  readonly userHome: string;
  readonly cwd: string;
}

/**
 * The directory that holds what this user's runners keep: absolute, perhaps not yet made.
 * `MCP_RUNNER_HOME` decides; else it is where the system keeps the state of programs.
 *
 * @throws {GatewayError} `usage` when neither is known.
 */
export function homeDirectory(machine: HomeMachine = thisMachine()): string {
  const { platform, env, userHome, cwd } = machine;
  const { join, resolve, isAbsolute } = platform === "win32" ? win32 : posix;
  const home = isAbsolute(userHome) ? userHome : undefined;
  const local = env["LOCALAPPDATA"] || (home && join(home, "AppData", "Local"));
  const directory = stateDirectory({ ...env, HOME: home, LOCALAPPDATA: local }, platform);
  if (directory !== undefined) return resolve(cwd, directory);
  throw new GatewayError(
    "usage",
    "Cannot find a directory for the state of mcp-runner: this user has no home, set MCP_RUNNER_HOME",
  );
}

/**
 * Makes the state directory if it is missing, open to this user alone, and refuses one that is not.
 *
 * @returns The directory.
 * @throws {GatewayError} `credentials_unsafe` with the command that repairs it; `usage` when it cannot be made.
 */
export async function openHome(directory: string = homeDirectory()): Promise<string> {
  let facts: Awaited<ReturnType<typeof stat>>;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    facts = await stat(directory);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EEXIST" || code === "ENOTDIR" ? "a file is in its place" : code;
    throw new GatewayError(
      "usage",
      `Cannot make the directory ${printable(directory)}: ${why}, set MCP_RUNNER_HOME to another`,
      { cause },
    );
  }
  refuseOthers(directory, facts, "700");
  return directory;
}

function thisMachine(): HomeMachine {
  const { platform, env } = process;
  return { platform, env, userHome: userHome(), cwd: process.cwd() };
}

function userHome(): string {
  try {
    return homedir();
  } catch {
    // No HOME and no entry in the list of users: MCP_RUNNER_HOME may still name a place.
    return "";
  }
}
