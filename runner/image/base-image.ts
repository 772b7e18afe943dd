/**
 * The image that npm servers are built on: a Node and little else. Called by npm-image.ts.
 *
 *     node:24-alpine, if the engine has it
 *     else the image made here before
 *     else node:24-alpine from its registry, if that answers soon
 *     else made here from the Node that runs this program (Linux with glibc)
 *
 * @module
 */
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

const OFFICIAL: BaseImage = { image: "node:24-alpine", node: "/usr/local/bin/node", libc: "musl" };

/** How long the registry may take to answer at all before the local way is tried, in milliseconds. */
const REGISTRY_MS = 10_000;

/** How long the engine may take to import the local Node, in milliseconds: some 130 MB. */
const IMPORT_MS = 300_000;

/**
 * Finds or makes the base image.
 *
 * @throws {GatewayError} `image_missing` when there is no way to get one.
 */
export function ensureBaseImage(
  engine: Engine,
  progress: (line: string) => void,
): Promise<BaseImage> {
  return inTurn(`base ${engine.endpoint}`, async () => {
    const official = await inspectImage(engine, OFFICIAL.image);
    // An image for another platform would run emulated, or not at all.
    if (official?.Architecture === engine.arch) return OFFICIAL;

    const made = recipe("base", "1", engine.arch, process.version);
    const local = { node: NODE_PATH, libc: "glibc" } as const;
    const found = await findLocalImage(engine, made);
    if (found !== undefined) return { ...local, image: found.tag };

    const obstacle = localObstacle(engine);
    const refused = await tryPull(engine, progress, obstacle === undefined ? REGISTRY_MS : PULL_MS);
    if (refused === undefined) return OFFICIAL;
    if (obstacle !== undefined) {
      throw new GatewayError(
        "image_missing",
        `${refused.message}; a base image cannot be made here either, because ${obstacle}`,
        { cause: refused },
      );
    }
    progress(`Making a base image from Node ${process.version} of this machine`);
    return { ...local, image: await importLocalNode(engine, made) };
  });
}

async function tryPull(
  engine: Engine,
  progress: (line: string) => void,
  answerMs: number,
): Promise<GatewayError | undefined> {
  try {
    await pullImage(engine, OFFICIAL.image, progress, answerMs);
    return undefined;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

/** Why the Node of this machine cannot run in the engine's containers, or `undefined` if it can. */
function localObstacle({ arch }: Engine): string | undefined {
  if (process.platform !== "linux") return `that needs Linux, and this is ${process.platform}`;
  if (cpuOf(arch) !== process.arch) return `the engine is ${arch} and this machine ${process.arch}`;
  return isGlibc() ? undefined : "that needs a Linux with glibc";
}

function isGlibc(): boolean {
  // Looking up the names of open connections would take seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const report: unknown = process.report.getReport();
  return v.is(v.object({ header: v.object({ glibcVersionRuntime: v.string() }) }), report);
}

async function importLocalNode(engine: Engine, made: Recipe): Promise<string> {
  const changes = [
    ...Object.entries(recipeLabels(made)).map(([name, value]) => `LABEL ${name}=${value}`),
    `USER ${NOBODY}`,
    "WORKDIR /tmp",
    `ENTRYPOINT ["${NODE_PATH}"]`,
  ];
  let id = "";
  try {
    await withLocalNode((tar) =>
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
      `Cannot make a base image from the Node of this machine: ${reason}; "docker pull ${OFFICIAL.image}" provides one`,
      { cause },
    );
  }
  if (id === "") {
    throw new GatewayError("image_missing", "Cannot make a base image: the engine named no result");
  }
  return await tagLocalImage(engine, made, id, process.version.slice(1));
}
