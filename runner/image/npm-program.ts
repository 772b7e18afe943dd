/**
 * Finds npm on this machine. Called by npm-install.ts.
 *
 *     the npm that started this process (npm_execpath) → npm on PATH → the npm beside this Node
 *
 * @module
 */
import { access, realpath } from "node:fs/promises";
import { basename, delimiter, dirname, join } from "node:path";

/** How to run npm: a program and its first arguments. */
export interface NpmProgram {
  readonly file: string;
  readonly args: readonly string[];
}

/** What the search looks at; tests pass their own. */
export interface NpmPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  /** The Node that runs this code. */
  readonly node: string;
}

const SCRIPT = "npm-cli.js";

/** The npm to use, or `undefined` if this machine has none. */
export async function findNpm({ env, platform, node }: NpmPlace): Promise<NpmProgram | undefined> {
  for (const script of scripts(env, platform, node)) {
    const real = await realpath(script).catch(() => undefined);
    if (real !== undefined && basename(real) === SCRIPT) return { file: node, args: [real] };
  }
  // A version manager's own program in the place of npm; on Windows those cannot be run without a shell.
  if (platform === "win32") return undefined;
  for (const directory of path(env)) {
    const program = join(directory, "npm");
    if (await access(program).then(() => true, () => false)) return { file: program, args: [] };
  }
  return undefined;
}

function* scripts(env: NpmPlace["env"], platform: string, node: string): Generator<string> {
  // Other package managers set it too, to their own program; npx and npm share a folder.
  const started = env["npm_execpath"];
  if (started) yield join(dirname(started), SCRIPT);
  for (const directory of path(env)) {
    yield platform === "win32"
      ? join(directory, "node_modules/npm/bin", SCRIPT)
      : join(directory, "npm");
  }
  yield join(dirname(node), "node_modules/npm/bin", SCRIPT);
  yield join(dirname(node), "../lib/node_modules/npm/bin", SCRIPT);
}

function path(env: NpmPlace["env"]): string[] {
  return (env["PATH"] ?? env["Path"] ?? "").split(delimiter).filter((directory) =>
    directory !== ""
  );
}
