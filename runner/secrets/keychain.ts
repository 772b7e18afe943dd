import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { userHome } from "../local/user-home.ts";
import { type ProgramEnd, runProgram } from "./program.ts";

/** Milliseconds that a helper has; it may have to wait for a user who unlocks the keychain. */
const DEADLINE_MS = 10_000;

/** A value of 64 KiB in JSON, every byte of it escaped. */
const MAX_REPLY_BYTES = 512 * 1024;

/** What a helper prints when it has nothing of that name. */
const NOT_FOUND = "credentials not found in native keychain";

const USERNAME = "mcp-runner";

const dockerConfig = v.object({ credsStore: v.optional(v.string(), "") });
const credentials = v.pipe(v.string(), v.parseJson(), v.object({ Secret: v.string() }));

/** A keychain of the system, behind a program that is made for Docker: `docker-credential-<helper>`. */
export interface Keychain {
  readonly helper: string;
  /** @throws {GatewayError} `store_unavailable`: the helper is missing or fails, or changes the value. */
  set(name: string, value: string): Promise<void>;
  /** Undefined when it has no such secret. Throws like `set`. */
  get(name: string): Promise<string | undefined>;
  /** Removes it if it is there. Throws like `set`. */
  remove(name: string): Promise<void>;
}

/** The environment of a program. */
type Environment = Readonly<Record<string, string | undefined>>;

/** The helper that the Docker CLI uses: `credsStore` of its config file; undefined if it uses none. */
export async function configuredHelper(env: Environment): Promise<string | undefined> {
  const folder = env["DOCKER_CONFIG"] || join(env["HOME"] || userHome(), ".docker");
  try {
    const text = await readFile(join(folder, "config.json"), "utf8");
    const { credsStore } = v.parse(dockerConfig, JSON.parse(text));
    return isHelperName(credsStore) ? credsStore : undefined;
  } catch {
    // Docker does without as well, if there is no file or it is broken.
    return undefined;
  }
}

/** Whether a helper may have this name: it becomes part of the name of a program. */
export function isHelperName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}

/** The keychain behind a helper. Nothing runs before it is used. */
export function openKeychain(helper: string, env: Environment): Keychain {
  const command = `docker-credential-${helper}`;

  async function run(action: string, input: string): Promise<ProgramEnd> {
    const program = { command, args: [action], env, input };
    try {
      return await runProgram({ ...program, deadlineMs: DEADLINE_MS, maxBytes: MAX_REPLY_BYTES });
    } catch (error) {
      throw failed(error instanceof GatewayError ? error.message : "it cannot run", error);
    }
  }

  function failed(why: string, cause?: unknown): GatewayError {
    return new GatewayError(
      "store_unavailable",
      `Cannot use the keychain behind ${command}: ${why}, repair it or use --store file`,
      { cause },
    );
  }

  async function get(name: string): Promise<string | undefined> {
    const { code, stdout } = await run("get", `${urlOf(name)}\n`);
    if (code !== 0) {
      if (stdout.trim() === NOT_FOUND) return undefined;
      throw failed(`it ended with ${code}`);
    }
    const reply = v.safeParse(credentials, stdout);
    // The issue would repeat what was printed.
    if (!reply.success) throw failed("it does not answer as a credential helper");
    // Some know nothing of "not found" and answer with nothing.
    return reply.output.Secret || undefined;
  }

  return {
    helper,
    get,
    set: async (name, value) => {
      const entry = { ServerURL: urlOf(name), Username: USERNAME, Secret: value };
      const { code } = await run("store", `${JSON.stringify(entry)}\n`);
      if (code !== 0) throw failed(`it ended with ${code}`);
      // Some cut long values or white space at the end, and say nothing.
      if (await get(name) === value) return;
      await run("erase", `${urlOf(name)}\n`);
      throw failed("it does not keep the value as it is");
    },
    remove: async (name) => {
      const { code, stdout } = await run("erase", `${urlOf(name)}\n`);
      if (code === 0 || stdout.trim() === NOT_FOUND) return;
      // Some end with an error when there is nothing to erase.
      if (await get(name) !== undefined) throw failed(`it ended with ${code}`);
    },
  };
}

/** Helpers take URLs of registries alone, that of macOS only with this scheme; `.invalid` is nobody's (RFC 6761). */
function urlOf(name: string): string {
  return `https://mcp-runner.invalid/${name}`;
}
