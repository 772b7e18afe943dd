/**
 * How to start an installed npm package: the one program of its `bin`, as `npx` would choose it. Called by
 * npm-image.ts. What is read here was written by the package's author, who is not trusted.
 *
 * @module
 */
import { open, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";

const manifest = v.object({
  /** The author's own word: npm does not compare it with what its registry says. */
  version: v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+_-]{1,128}$/)),
  bin: v.optional(v.union([v.string(), v.record(v.string(), v.string())])),
});

/** An installed package that can be started. */
export interface NpmEntry {
  /** The version that was installed. */
  readonly version: string;
  /** Path of the program inside the package, with `/`. */
  readonly program: string;
  /** Options for Node, from the program's first line. */
  readonly nodeOptions: readonly string[];
}

/**
 * Reads what `npm install` has put into `directory`.
 *
 * @throws {GatewayError} `image_missing` when the package has no program for Node, or more than one.
 */
export async function readEntry(directory: string, name: string): Promise<NpmEntry> {
  const home = join(directory, "node_modules", name);
  const text = await readFile(join(home, "package.json"), "utf8");
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), manifest), text);
  if (!parsed.success) throw cannot(name, "its package.json makes no sense");
  const { version, bin } = parsed.output;
  const program = posix.normalize(chooseProgram(name, bin));
  if (program.startsWith("../") || posix.isAbsolute(program)) {
    throw cannot(name, "its program is outside of the package");
  }
  const line = await firstLine(join(home, program)).catch((cause: unknown) => {
    throw cannot(name, `its program "${program}" is not in the package`, cause);
  });
  return { version, program, nodeOptions: nodeOptions(name, line) };
}

/** Path of the program of a package whose manifest says `bin`. */
export function chooseProgram(name: string, bin: v.InferOutput<typeof manifest>["bin"]): string {
  if (typeof bin === "string") return bin;
  const programs = Object.entries(bin ?? {});
  const plain = name.slice(name.indexOf("/") + 1);
  const [only, ...others] = new Set(programs.map(([, path]) => path));
  if (only !== undefined && others.length === 0) return only;
  const same = programs.find(([program]) => program === plain);
  if (same !== undefined) return same[1];
  throw cannot(
    name,
    programs.length === 0
      ? "it has no program to start, it is a library"
      : `it has several programs (${
        programs.map(([program]) => program).join(", ")
      }) and none is named as the package`,
  );
}

/**
 * Options that the first line of a program gives to Node, as `#!/usr/bin/env -S node --no-warnings`.
 *
 * @throws {GatewayError} `image_missing` when the line names something other than Node.
 */
export function nodeOptions(name: string, line: string): readonly string[] {
  if (!line.startsWith("#!")) return [];
  const words = line.slice(2).trim().split(/\s+/);
  const at = words.findIndex((word) => posix.basename(word) === "node");
  if (at === -1) {
    throw cannot(name, `its program needs "${words.join(" ")}", and only Node is there`);
  }
  return words.slice(at + 1);
}

async function firstLine(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString("utf8", 0, bytesRead).split(/\r?\n/)[0] ?? "";
  } finally {
    await file.close();
  }
}

function cannot(name: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "image_missing",
    `Cannot run npm package "${name}": ${why}, use another package or an image`,
    { cause },
  );
}
