/**
 * Images of npm packages: installed once on this machine, where there is a network, then run without one.
 * Called by image.ts.
 *
 *     found by recipe? → done, without a network
 *     else base image (base-image.ts) → npm install (npm-install.ts) → program (npm-entry.ts)
 *          → built on the base → tagged mcp-runner/npm-<package>:<version>-<recipe>
 *
 * @module
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-fs";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { ServerSource } from "../config/source.ts";
import type { Engine } from "../docker/engine.ts";
import { NOBODY } from "../docker/host-config.ts";
import { isRefusal } from "../docker/deadline.ts";
import { type BaseImage, ensureBaseImage } from "./base-image.ts";
import { follow, reasonOf } from "./follow.ts";
import {
  findLocalImage,
  inTurn,
  type Recipe,
  recipe,
  recipeLabels,
  tagLocalImage,
} from "./local-image.ts";
import { type NpmEntry, readEntry } from "./npm-entry.ts";
import { installPackage } from "./npm-install.ts";
import { cpuOf } from "./platform.ts";
import { normalized } from "./tar.ts";

type NpmSource = Extract<ServerSource, { kind: "npm" }>;

/** How long the engine may work on a build without a word, in milliseconds. */
const BUILD_MS = 300_000;

/** Where the package is in the image. */
const APP = "/app";

/**
 * Finds or makes the image of a package. A source without a version means the newest at the time of the
 * first start, and stays at that: what runs does not change by itself.
 *
 * @throws {GatewayError} `image_missing` with one line on the cause and the fix; `engine_unavailable`.
 */
export function ensureNpmImage(
  engine: Engine,
  source: NpmSource,
  progress: (line: string) => void,
): Promise<string> {
  const made = npmRecipe(engine, source);
  return inTurn(`${engine.endpoint} ${made.hash}`, async () => {
    const found = await findLocalImage(engine, made);
    if (found !== undefined) return found.tag;
    // A configuration with many new packages must not start many npm at once.
    return await inTurn("npm", () => makeImage(engine, source, made, progress));
  });
}

async function makeImage(
  engine: Engine,
  source: NpmSource,
  made: Recipe,
  progress: (line: string) => void,
): Promise<string> {
  const base = await ensureBaseImage(engine, progress);
  const { package: name, version } = source;
  const spec = version === undefined ? name : `${name}@${version}`;
  try {
    return await withTemporaryFolder(async (folder) => {
      const directory = join(folder, "app");
      await mkdir(directory);
      progress(`Installing npm package ${spec}`);
      const platform = { os: engine.os, cpu: cpuOf(engine.arch), libc: base.libc };
      await installPackage({ spec, directory, ...platform });
      const entry = await readEntry(directory, name);

      progress(`Making an image of ${name}@${entry.version}`);
      await writeFile(join(folder, "Dockerfile"), dockerfile(base, name, entry, made));
      const id = await build(engine, folder, spec);
      return await tagLocalImage(engine, made, id, entry.version);
    });
  } catch (error) {
    if (!v.is(diskError, error)) throw error;
    throw cannot(
      spec,
      `the temporary folder of this machine cannot be used (${error.code})`,
      error,
    );
  }
}

/** An error of the file system, which always names the call that failed. */
const diskError = v.object({ code: v.string(), syscall: v.string() });

function npmRecipe({ os, arch }: Engine, { package: name, version = "latest" }: NpmSource): Recipe {
  const plain = name.replace(/^@/, "").replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return recipe(`npm-${plain}`, "1", os, arch, name, version);
}

function dockerfile(base: BaseImage, name: string, entry: NpmEntry, made: Recipe): string {
  const program = posix.join(APP, "node_modules", name, entry.program);
  const labels = Object.entries(recipeLabels(made)).map(([label, value]) =>
    `LABEL ${label}=${value}`
  );
  return [
    `FROM ${base.image}`,
    `COPY app ${APP}`,
    `USER ${NOBODY}`,
    // Servers that write beside themselves find the one writable folder.
    "WORKDIR /tmp",
    // It also clears the command of the base image.
    `ENTRYPOINT ${JSON.stringify([base.node, ...entry.nodeOptions, program])}`,
    ...labels,
    "",
  ].join("\n");
}

/** Builds `folder` into an image without a tag; its id. */
async function build(engine: Engine, folder: string, spec: string): Promise<string> {
  const sorted = { sort: true, map: normalized };
  let id: string | undefined;
  try {
    await follow({
      what: `make an image of npm package "${spec}"`,
      silenceMs: BUILD_MS,
      open: (abortSignal) => {
        const options = { rm: true, forcerm: true, networkmode: "none", abortSignal };
        return engine.docker.buildImage(Readable.from(pack(folder, sorted)), options);
      },
      onMessage: ({ aux }) => {
        id = aux?.ID ?? id;
      },
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw cannot(spec, reasonOf(error), error);
  }
  if (id === undefined) {
    throw cannot(spec, "the engine named no result");
  }
  return id;
}

function cannot(spec: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "image_missing",
    `Cannot make an image of npm package "${spec}": ${why}`,
    { cause },
  );
}

/** Runs `use` with an empty folder, which goes away also when this process is told to end. */
async function withTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-npm-"));
  const removeNow = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", removeNow);
  try {
    return await use(folder);
  } finally {
    process.off("exit", removeNow);
    await rm(folder, { recursive: true, force: true });
  }
}
