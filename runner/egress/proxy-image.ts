/**
 * The image of the proxy: Node and one file. Made once on this machine. Called by proxy.ts.
 *
 * @module
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-fs";
import { GatewayError } from "../../src/errors.ts";
import { VERSION } from "../../src/version.ts";
import { isRefusal } from "../docker/deadline.ts";
import type { Engine } from "../docker/engine.ts";
import { NOBODY } from "../docker/host-config.ts";
import { ensureBaseImage } from "../image/base-image.ts";
import { follow, reasonOf } from "../image/follow.ts";
import {
  findLocalImage,
  inTurn,
  recipe,
  recipeLabels,
  tagLocalImage,
} from "../image/local-image.ts";
import { normalized } from "../image/tar.ts";
import { temporaryFolder } from "../image/temporary-folder.ts";
import { readProgram } from "./program.ts";

/** How long the engine may work on the build without a word, in milliseconds. */
const BUILD_MS = 120_000;

/** Keeps the program small: it carries bytes and remembers nothing. */
const NODE_OPTIONS = ["--max-old-space-size=24", "--max-semi-space-size=1"];

/**
 * Finds or makes the image.
 *
 * @returns Id of the image.
 * @throws {GatewayError} `image_missing`, `engine_unavailable`.
 */
export async function ensureProxyImage(
  engine: Engine,
  progress: (line: string) => void,
): Promise<string> {
  const program = await readProgram();
  const made = recipe("egress", "1", engine.arch, program);
  return await inTurn(`egress ${engine.endpoint} ${made.hash}`, async () => {
    const found = await findLocalImage(engine, made);
    if (found !== undefined) return found.id;
    const base = await ensureBaseImage(engine, progress);
    progress("Making the image of the network proxy");
    const labels = Object.entries(recipeLabels(made)).map(([name, value]) =>
      `LABEL ${name}=${value}`
    );
    const dockerfile = [
      `FROM ${base.image}`,
      "COPY egress.mjs /egress.mjs",
      `USER ${NOBODY}`,
      `ENTRYPOINT ${JSON.stringify([base.node, ...NODE_OPTIONS, "/egress.mjs"])}`,
      "CMD []",
      ...labels,
      "",
    ];
    const id = await temporaryFolder("mcp-runner-egress-", async (folder) => {
      await writeFile(join(folder, "egress.mjs"), program);
      await writeFile(join(folder, "Dockerfile"), dockerfile.join("\n"));
      return await build(engine, folder);
    });
    return (await tagLocalImage(engine, made, id, VERSION)).id;
  });
}

async function build(engine: Engine, folder: string): Promise<string> {
  const sorted = { sort: true, map: normalized };
  let id: string | undefined;
  try {
    await follow({
      what: "make the image of the network proxy",
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
    throw cannot(reasonOf(error), error);
  }
  if (id === undefined) throw cannot("the engine named no result");
  return id;
}

function cannot(why: string, cause?: unknown): GatewayError {
  return new GatewayError("image_missing", `Cannot make the image of the network proxy: ${why}`, {
    cause,
  });
}
