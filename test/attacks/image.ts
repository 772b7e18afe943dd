/**
 * The image of the attack servers: Node, a shell, Perl for what Node cannot say to the kernel, and a program
 * that is set-user-ID root. Made of this machine's own files.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import type { Engine } from "../../runner/docker/engine.ts";
import { NOBODY } from "../../runner/docker/host-config.ts";
import { follow } from "../../runner/image/follow.ts";
import { firstReal, withLocalFiles } from "../../runner/image/local-files.ts";
import {
  findLocalImage,
  recipe,
  recipeLabels,
  tagLocalImage,
} from "../../runner/image/local-image.ts";
import { NODE_PATH } from "../../runner/image/local-node.ts";
import { normalized } from "../../runner/image/tar.ts";
import { NODE, ROOT } from "../support/program.ts";

/** Where the program is in the container: as a volume, so that the image need not change with it. */
export const PROGRAM = "/attacks.mjs";

/** A program that tells who runs it; set-user-ID root in the image. */
const ID = "/attacks/id";

/**
 * Makes the image unless it is there.
 *
 * @returns Its tag.
 * @throws {Error} Where it cannot be made: it takes Linux with Perl.
 */
export async function attackImage(engine: Engine): Promise<string> {
  const perl = await firstReal(["/usr/bin/perl"]);
  const id = await firstReal(["/usr/bin/id", "/bin/id"]);
  if (process.platform !== "linux" || perl === undefined || id === undefined) {
    throw new Error("Cannot make the image of the attacks: that takes Linux with Perl and id");
  }
  const version = execFileSync(perl, ["-e", "print $]"], { encoding: "utf8" });
  const made = recipe("attacks", "1", engine.arch, process.version, version);
  const found = await findLocalImage(engine, made);
  if (found !== undefined) return found.tag;
  const programs = [
    { from: await realpath(NODE), to: NODE_PATH },
    { from: perl, to: "/usr/bin/perl" },
    { from: id, to: ID },
  ];
  const labels = Object.entries(recipeLabels(made)).map(([name, value]) =>
    `LABEL ${name}=${value}`
  );
  const changes = [...labels, `USER ${NOBODY}`, "WORKDIR /tmp", `ENTRYPOINT ["${NODE_PATH}"]`];
  let imported = "";
  await withLocalFiles({
    programs,
    map: (header) => {
      const plain = normalized(header);
      return `/${header.name}` === ID ? { ...plain, mode: 0o4755 } : plain;
    },
  }, (tar) =>
    follow({
      what: "make the image of the attacks",
      silenceMs: 300_000,
      open: (abortSignal) => engine.docker.importImage(tar, { changes, abortSignal }),
      onMessage: ({ status }) => {
        if (status?.startsWith("sha256:") === true) imported = status;
      },
    }));
  return (await tagLocalImage(engine, made, imported, process.version.slice(1))).tag;
}

/** The attack server as one file. */
export async function attackProgram(): Promise<Uint8Array> {
  const { outputFiles: [file] } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join("test/attacks/attacker/main.ts")],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node22",
    logLevel: "error",
  });
  if (file === undefined) throw new Error("Cannot bundle the attack server");
  return file.contents;
}

/** A name that nobody else has, from one that people can read. */
export function marked(name: string, mark: string): string {
  return `${name}-${createHash("sha256").update(mark + name).digest("hex").slice(0, 6)}`;
}
