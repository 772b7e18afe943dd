/**
 * Images of packages: installed once on this machine, where there is a network, then run without one.
 * Called by image.ts; npm-image.ts and pypi-image.ts say how each kind is installed.
 *
 *     found by recipe? → done, without a network
 *     else installed into a folder, without running its code → built on a base image
 *          → tagged mcp-runner/<kind>-<package>:<version>-<recipe>
 *     → the same archive as the lock has? → ready
 *
 * @module
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-fs";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { ContainerSource } from "../config/source.ts";
import { isRefusal } from "../docker/deadline.ts";
import type { Engine } from "../docker/engine.ts";
import { NOBODY } from "../docker/host-config.ts";
import { inspectImage } from "../docker/inspect.ts";
import { follow, reasonOf } from "./follow.ts";
import {
  findLocalImage,
  inTurn,
  type Recipe,
  recipe,
  recipeLabels,
  tagLocalImage,
} from "./local-image.ts";
import type { Pin } from "./lock.ts";
import { refuseDrift } from "./package-drift.ts";
import type { ImageOptions, ReadyImage } from "./ready-image.ts";
import { normalized } from "./tar.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { treeDigest } from "./tree-digest.ts";

/** A source that is a package. */
export type PackageSource = Extract<ContainerSource, { package: string }>;

/** Where packages of one kind come from and how they get into an image. */
export interface PackageKind {
  /** As in sources: `npm`. */
  readonly scheme: "npm" | "pypi";
  /** For messages. */
  readonly title: string;
  /** Another one when the same package would become another image. */
  readonly revision: string;
  /**
   * Installs a package into the empty folder `directory`, without running any of its code.
   *
   * @throws {GatewayError} `image_missing` with one line on the cause and the fix.
   */
  install(
    engine: Engine,
    source: { readonly package: string; readonly version?: string | undefined },
    directory: string,
    progress: (line: string) => void,
  ): Promise<InstalledPackage>;
}

/** A package in a folder, and what an image needs besides. */
export interface InstalledPackage {
  readonly version: string;
  /** Hash of its archive as the registry names it, if it does. */
  readonly integrity: string | undefined;
  /** Image to build on. */
  readonly base: string;
  /** Lines of the Dockerfile between the copy of the folder to `APP` and the entry point. */
  readonly steps: readonly string[];
  /** Program and its first arguments. */
  readonly entrypoint: readonly string[];
}

/** Where the folder is in the image. */
export const APP = "/app";

/** How long the engine may work on a build without a word, in milliseconds. */
const BUILD_MS = 300_000;

/** Memory of a build without swap, in bytes: what is compiled there was written by whoever made the package. */
const MAX_BUILD_BYTES = 2 * 1024 ** 3;

/** What the labels of an image say of its package. */
const VERSION_LABEL = "dev.mcp-runner.package.version";
const INTEGRITY_LABEL = "dev.mcp-runner.package.integrity";
const DIGEST_LABEL = "dev.mcp-runner.package.digest";

/** An image of a package that the engine has. */
interface PackageImage extends Pin {
  readonly id: string;
  readonly tag: string;
  readonly version: string;
}

/**
 * Finds or makes the image of a package. A source without a version means the one that is pinned, or else
 * the newest at the time of the first start, and stays at that: what runs does not change by itself.
 *
 * @throws {GatewayError} `image_missing`, `image_changed` or `engine_unavailable`.
 */
export async function ensurePackageImage(
  engine: Engine,
  kind: PackageKind,
  source: PackageSource,
  progress: (line: string) => void,
  options: ImageOptions,
): Promise<ReadyImage> {
  const { package: name } = source;
  const reference = `${kind.scheme}:${specOf(source)}`;
  const pin = options.lock?.get(reference);
  const wanted = { package: name, version: source.version ?? pin?.version };
  const made = recipeOf(engine, kind, wanted);
  const found = await inTurn(`${engine.endpoint} ${made.name} ${made.hash}`, async () => {
    const newest = recipeOf(engine, kind, { package: name, version: undefined });
    const known = await findPackage(engine, made) ?? await findPackage(engine, newest, wanted);
    if (known !== undefined) return known;
    if (options.offline) {
      throw cannot(kind, specOf(wanted), "it is not installed yet, and nothing is to be fetched");
    }
    const started = performance.now();
    // A configuration with many new packages must not start many installations at once.
    const image = await inTurn(
      `install ${kind.scheme}`,
      () => makeImage(engine, kind, wanted, made, progress),
    );
    if (options.server !== undefined) {
      const ms = Math.round(performance.now() - started);
      options.journal?.write({ type: "pull", server: options.server, image: image.tag, ms });
    }
    return image;
  });
  const { id, tag, digest, version, integrity } = found;
  const isHeld = pin !== undefined && options.accept !== true;
  if (isHeld) {
    const what = `${kind.title} "${specOf(source)}"`;
    refuseDrift({ what, pin, found, tag }, options);
  }
  const ready: ReadyImage = { image: id, name: tag, id, digest, command: [] };
  await options.check?.(ready);
  if (!isHeld) await options.lock?.set(reference, { digest, version, integrity });
  return ready;
}

/** The image of a recipe; with `wanted` only if it holds that version. */
async function findPackage(
  engine: Engine,
  made: Recipe,
  wanted?: { readonly version: string | undefined },
): Promise<PackageImage | undefined> {
  const local = await findLocalImage(engine, made);
  const facts = local && await inspectImage(engine, local.id);
  if (local === undefined || facts === undefined) return undefined;
  const labels = facts.Config.Labels;
  const version = labels[VERSION_LABEL];
  const digest = labels[DIGEST_LABEL];
  if (version === undefined || digest === undefined) return undefined;
  if (wanted?.version !== undefined && wanted.version !== version) return undefined;
  return { ...local, version, digest, integrity: labels[INTEGRITY_LABEL] };
}

async function makeImage(
  engine: Engine,
  kind: PackageKind,
  wanted: { readonly package: string; readonly version: string | undefined },
  made: Recipe,
  progress: (line: string) => void,
): Promise<PackageImage> {
  const spec = specOf(wanted);
  try {
    return await temporaryFolder(`mcp-runner-${kind.scheme}-`, async (folder) => {
      const directory = join(folder, "app");
      await mkdir(directory);
      const installed = await kind.install(engine, wanted, directory, progress);
      const { version, integrity } = installed;
      const digest = await treeDigest(directory);

      progress(`Making an image of ${wanted.package}@${version}`);
      const labels = {
        [VERSION_LABEL]: version,
        ...(integrity !== undefined && { [INTEGRITY_LABEL]: integrity }),
        [DIGEST_LABEL]: digest,
        ...recipeLabels(made),
      };
      await writeFile(join(folder, "Dockerfile"), dockerfile(installed, labels));
      const id = await build(engine, kind, folder, spec);
      const local = await tagLocalImage(engine, made, id, version);
      // Another runner may have been faster, with files of another day.
      const image = await findPackage(engine, made);
      return image ?? { ...local, version, integrity, digest };
    });
  } catch (error) {
    if (!v.is(diskError, error)) throw error;
    const why = `the temporary folder of this machine cannot be used (${error.code})`;
    throw cannot(kind, spec, why, error);
  }
}

/** An error of the file system, which always names the call that failed. */
const diskError = v.object({ code: v.string(), syscall: v.string() });

function recipeOf(
  { os, arch }: Engine,
  { scheme, revision }: PackageKind,
  { package: name, version = "latest" }: { package: string; version: string | undefined },
): Recipe {
  const plain = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return recipe(`${scheme}-${plain}`, revision, os, arch, name, version);
}

function specOf(
  { package: name, version }: { package: string; version?: string | undefined },
): string {
  return version === undefined ? name : `${name}@${version}`;
}

function dockerfile(
  { base, steps, entrypoint }: InstalledPackage,
  labels: Readonly<Record<string, string>>,
): string {
  return [
    `FROM ${base}`,
    // The base may have a user that cannot write to what is copied.
    "USER 0",
    `COPY app ${APP}`,
    ...steps,
    `USER ${NOBODY}`,
    // Servers that write beside themselves find the one writable folder.
    "WORKDIR /tmp",
    // It also clears the command of the base image.
    `ENTRYPOINT ${JSON.stringify(entrypoint)}`,
    ...Object.entries(labels).map(([label, value]) => `LABEL ${label}="${value}"`),
    "",
  ].join("\n");
}

/** Builds `folder` into an image without a tag; its id. */
async function build(
  engine: Engine,
  kind: PackageKind,
  folder: string,
  spec: string,
): Promise<string> {
  const sorted = { sort: true, map: normalized };
  let id: string | undefined;
  try {
    await follow({
      what: `make an image of ${kind.title} "${spec}"`,
      silenceMs: BUILD_MS,
      open: (abortSignal) => {
        const options = {
          rm: true,
          forcerm: true,
          networkmode: "none",
          memory: MAX_BUILD_BYTES,
          memswap: MAX_BUILD_BYTES,
          abortSignal,
        };
        return engine.docker.buildImage(Readable.from(pack(folder, sorted)), options);
      },
      onMessage: ({ aux }) => {
        id = aux?.ID ?? id;
      },
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw cannot(kind, spec, reasonOf(error), error);
  }
  if (id === undefined) throw cannot(kind, spec, "the engine named no result");
  return id;
}

function cannot({ title }: PackageKind, spec: string, why: string, cause?: unknown): GatewayError {
  return new GatewayError("image_missing", `Cannot make an image of ${title} "${spec}": ${why}`, {
    cause,
  });
}
