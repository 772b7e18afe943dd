/**
 * How to start an installed PyPI package: its one console script, or its module, as `uvx` would choose it.
 * Called by pypi-image.ts. What is read here was written by the package's author, who is not trusted.
 *
 * @module
 */
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { normalizedName } from "./pypi-install.ts";

/** An installed package that can be started. */
export interface PypiEntry {
  /** The version that was installed. */
  readonly version: string;
  /** What Python is to carry out, as the argument of `-c`. */
  readonly program: string;
}

/** A console script: the function `attribute` of `module`. */
export interface ConsoleScript {
  readonly name: string;
  readonly module: string;
  readonly attribute: string;
}

/** Dotted identifiers; others exist in the language and on no package that runs a server. */
const DOTTED = "[A-Za-z_]\\w*(?:\\.[A-Za-z_]\\w*)*";
const SCRIPT = new RegExp(
  `^([\\w.-]{1,128})\\s*=\\s*(${DOTTED})\\s*:\\s*(${DOTTED})\\s*(?:\\[.*)?$`,
);

const VERSION = /^[0-9A-Za-z.+!_-]{1,128}$/;

/** The working directory is writable: what lies there must not be taken for a module. */
const WITHOUT_CWD = "import sys;sys.path[:]=[p for p in sys.path if p]";

/**
 * Reads what was installed into `directory`.
 *
 * @throws {GatewayError} `image_missing` when the package has no program, or more than one.
 */
export async function readPypiEntry(directory: string, name: string): Promise<PypiEntry> {
  const normalized = normalizedName(name);
  const names = await readdir(directory);
  const info = names.find((entry) => {
    const [, distribution] = /^(.+)-[^-]+\.dist-info$/.exec(entry) ?? [];
    return distribution !== undefined && normalizedName(distribution) === normalized;
  });
  const version = info?.slice(0, -".dist-info".length).split("-").at(-1) ?? "";
  if (info === undefined || !VERSION.test(version)) {
    throw cannot(name, "what was installed does not say its version");
  }
  const read = (file: string) => readFile(join(directory, info, file), "utf8").catch(() => "");
  const scripts = consoleScripts(await read("entry_points.txt"));
  const script = chooseScript(name, scripts);
  if (script !== undefined) return { version, program: scriptProgram(script) };
  const topLevel = (await read("top_level.txt")).split(/\s+/).filter((word) => word !== "");
  for (const module of [normalized.replaceAll("-", "_"), ...topLevel]) {
    if (!/^[A-Za-z_]\w*$/.test(module)) continue;
    const path = join(directory, module, "__main__.py");
    if (!await access(path).then(() => true, () => false)) continue;
    const run = `import runpy;runpy.run_module(${
      quoted(module)
    },run_name="__main__",alter_sys=True)`;
    return { version, program: `${WITHOUT_CWD};${run}` };
  }
  throw cannot(name, "it has no program to start, it is a library");
}

/** The console scripts of an `entry_points.txt`. */
export function consoleScripts(text: string): ConsoleScript[] {
  let section = "";
  return text.split(/\r?\n/).flatMap((raw) => {
    const line = raw.trim();
    if (line.startsWith("[")) {
      section = line;
      return [];
    }
    const [, name, module, attribute] = SCRIPT.exec(line) ?? [];
    return section !== "[console_scripts]" || name === undefined || module === undefined ||
        attribute === undefined
      ? []
      : [{ name, module, attribute }];
  });
}

/**
 * The script of a package that is its server, or `undefined` if it has none.
 *
 * @throws {GatewayError} `image_missing` when there are several and none is named as the package.
 */
export function chooseScript(
  name: string,
  scripts: readonly ConsoleScript[],
): ConsoleScript | undefined {
  const same = scripts.find((script) => normalizedName(script.name) === normalizedName(name));
  const targets = new Set(scripts.map(({ module, attribute }) => `${module}:${attribute}`));
  if (same !== undefined || targets.size <= 1) return same ?? scripts[0];
  const names = scripts.map((script) => printable(script.name)).join(", ");
  throw cannot(name, `it has several programs (${names}) and none is named as the package`);
}

function scriptProgram({ name, module, attribute }: ConsoleScript): string {
  const call = `from importlib import import_module as m;sys.exit(m(${
    quoted(module)
  }).${attribute}())`;
  return `${WITHOUT_CWD};sys.argv[0]=${quoted(name)};${call}`;
}

/** What the patterns of this file let through is the same in both languages. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

function cannot(name: string, why: string): GatewayError {
  return new GatewayError(
    "image_missing",
    `Cannot run PyPI package "${name}": ${why}, use another package or an image`,
  );
}
