/**
 * The images that packages are built on: a Node or a Python and little else. Called by npm-image.ts and
 * pypi-image.ts.
 *
 *     node:24-alpine, if the engine has it                       (python:3.13-slim)
 *     else the image made here before
 *     else node:24-alpine from its registry, if that answers soon
 *     else made here from the Node that runs this program (Linux with glibc; the Python on PATH)
 *
 * @module
 */
import type { Readable } from "node:stream";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
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
import { NODE_PATH, withLocalNode } from "./local-node.ts";
import { CERTIFICATES_PATH, findPython, withLocalPython } from "./local-python.ts";
import { cpuOf } from "./platform.ts";
import { PULL_MS, pullImage } from "./pull.ts";

/** An image with Node. */
export interface BaseImage {
  readonly image: string;
  /** Path of Node in it. */
  readonly node: string;
  /** C library in it, as npm names it: packages with binaries differ by it. */
  readonly libc: "glibc" | "musl";
}

/** An image with Python and glibc. */
export interface PythonImage {
  readonly image: string;
  /** Path of Python in it. */
  readonly python: string;
  /** As `3.13`. */
  readonly version: string;
}

const NODE: BaseImage = { image: "node:24-alpine", node: "/usr/local/bin/node", libc: "musl" };

// More packages have binaries for glibc than for the C library of the smaller image.
const PYTHON: PythonImage = {
  image: "python:3.13-slim",
  python: "/usr/local/bin/python3",
  version: "3.13",
};

/** How long the registry may take to answer at all before the local way is tried, in milliseconds. */
const REGISTRY_MS = 10_000;

/** How long the engine may take to import local files, in milliseconds: some 130 MB. */
const IMPORT_MS = 300_000;

/** A base that can be made of this machine. */
interface LocalBase {
  readonly recipe: Recipe;
  /** For messages and the tag. */
  readonly title: string;
  readonly version: string;
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  withFiles<T>(use: (tar: Readable) => Promise<T>): Promise<T>;
}

/**
 * Finds or makes the base image of npm packages.
 *
 * @throws {GatewayError} `image_missing` when there is no way to get one.
 */
export async function ensureBaseImage(
  engine: Engine,
  progress: (line: string) => void,
): Promise<BaseImage> {
  const local: LocalBase = {
    recipe: recipe("base", "1", engine.arch, process.version),
    title: `Node ${process.version}`,
    version: process.version.slice(1),
    program: NODE_PATH,
    env: {},
    withFiles: withLocalNode,
  };
  const made = await ensureBase(engine, NODE.image, local, progress);
  return made === undefined ? NODE : { image: made, node: NODE_PATH, libc: "glibc" };
}

/**
 * Finds or makes the base image of PyPI packages.
 *
 * @throws {GatewayError} `image_missing` when there is no way to get one.
 */
export async function ensurePythonImage(
  engine: Engine,
  progress: (line: string) => void,
): Promise<PythonImage> {
  const python = await findPython();
  const local: LocalBase | undefined = python && {
    recipe: recipe("base-python", "1", engine.arch, python.version, python.program),
    title: `Python ${python.version}`,
    version: python.version,
    program: python.program,
    env: { SSL_CERT_FILE: CERTIFICATES_PATH },
    withFiles: (use) => withLocalPython(python, use),
  };
  const made = await ensureBase(engine, PYTHON.image, local, progress);
  if (made === undefined || python === undefined) return PYTHON;
  const version = python.version.replace(/\.\d+$/, "");
  return { image: made, python: python.program, version };
}

/** The tag of the base that was made here, or `undefined` when the official one is there. */
function ensureBase(
  engine: Engine,
  official: string,
  local: LocalBase | undefined,
  progress: (line: string) => void,
): Promise<string | undefined> {
  return inTurn(`base ${engine.endpoint} ${official}`, async () => {
    const facts = await inspectImage(engine, official);
    // An image for another platform would run emulated, or not at all.
    if (facts?.Architecture === engine.arch) return undefined;

    const found = local && await findLocalImage(engine, local.recipe);
    if (found !== undefined) return found.tag;

    const obstacle = localObstacle(engine, local);
    const answerMs = obstacle === undefined ? REGISTRY_MS : PULL_MS;
    const refused = await tryPull(engine, official, progress, answerMs);
    if (refused === undefined) return undefined;
    if (obstacle !== undefined || local === undefined) {
      throw new GatewayError(
        "image_missing",
        `${refused.message}; a base image cannot be made here either, because ${obstacle}`,
        { cause: refused },
      );
    }
    progress(`Making a base image from ${local.title} of this machine`);
    return await importLocal(engine, official, local);
  });
}

async function tryPull(
  engine: Engine,
  official: string,
  progress: (line: string) => void,
  answerMs: number,
): Promise<GatewayError | undefined> {
  try {
    await pullImage(engine, official, progress, answerMs);
    return undefined;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

/** Why programs of this machine cannot run in the engine's containers, or `undefined` if they can. */
function localObstacle({ arch }: Engine, local: LocalBase | undefined): string | undefined {
  if (process.platform !== "linux") return `that needs Linux, and this is ${process.platform}`;
  if (cpuOf(arch) !== process.arch) return `the engine is ${arch} and this machine ${process.arch}`;
  if (!isGlibc()) return "that needs a Linux with glibc";
  return local === undefined ? "that needs python3 on PATH, install it" : undefined;
}

function isGlibc(): boolean {
  // Looking up the names of open connections would take seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const report: unknown = process.report.getReport();
  return v.is(v.object({ header: v.object({ glibcVersionRuntime: v.string() }) }), report);
}

async function importLocal(engine: Engine, official: string, local: LocalBase): Promise<string> {
  const { title, version, program, env } = local;
  const changes = [
    ...Object.entries(recipeLabels(local.recipe)).map(([name, value]) => `LABEL ${name}=${value}`),
    ...Object.entries(env).map(([name, value]) => `ENV ${name}=${value}`),
    `USER ${NOBODY}`,
    "WORKDIR /tmp",
    `ENTRYPOINT ${JSON.stringify([program])}`,
  ];
  let id = "";
  try {
    await local.withFiles((tar) =>
      follow({
        what: "make the base image",
        silenceMs: IMPORT_MS,
        open: (abortSignal) => engine.docker.importImage(tar, { changes, abortSignal }),
        onMessage: ({ status }) => {
          if (status?.startsWith("sha256:")) id = status;
        },
      })
    );
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    const reason = isRefusal(cause) ? reasonOf(cause) : String(cause);
    throw new GatewayError(
      "image_missing",
      `Cannot make a base image from ${title} of this machine: ${reason}; "docker pull ${official}" provides one`,
      { cause },
    );
  }
  if (id === "") {
    throw new GatewayError("image_missing", "Cannot make a base image: the engine named no result");
  }
  return (await tagLocalImage(engine, local.recipe, id, version)).tag;
}
