/**
 * Processors: what an engine can run, and their names; Docker uses Go's, Node and npm their own.
 *
 * @module
 */
import { access } from "node:fs/promises";
import { GatewayError } from "../../src/errors.ts";
import type { Engine } from "../docker/engine.ts";

const CPU: Readonly<Record<string, string>> = {
  amd64: "x64",
  "386": "ia32",
  ppc64le: "ppc64",
  loong64: "loong64",
};

/** Node's and npm's name of the processor that Docker calls `arch`; most are called the same. */
export function cpuOf(arch: string): string {
  return CPU[arch] ?? arch;
}

/** Processors whose programs another one runs as its own. */
const COMPATIBLE: Readonly<Record<string, readonly string[]>> = { amd64: ["386"], arm64: ["arm"] };

/** What the kernel's emulator of a processor is registered as. */
const EMULATOR: Readonly<Record<string, string>> = {
  amd64: "x86_64",
  arm64: "aarch64",
  "386": "i386",
  loong64: "loongarch64",
};

/**
 * Refuses an image that is made for a processor which the engine is sure not to have. Engines in a virtual
 * machine, such as Docker Desktop, emulate others; of an engine on this Linux the kernel knows.
 *
 * @throws {GatewayError} `image_missing` with both platforms and what to do.
 */
export async function refuseForeignPlatform(
  { arch, os, socketPath }: Engine,
  image: string,
  made: string,
): Promise<void> {
  if (made === "" || made === arch || COMPATIBLE[arch]?.includes(made)) return;
  const isNative = process.platform === "linux" && socketPath !== undefined &&
    !socketPath.includes("/.docker/");
  if (!isNative) return;
  const emulator = `/proc/sys/fs/binfmt_misc/qemu-${EMULATOR[made] ?? made}`;
  if (await access(emulator).then(() => true, () => false)) return;
  throw new GatewayError(
    "image_missing",
    `Cannot run image "${image}": it is made for ${os}/${made} and this engine is ${os}/${arch}, choose an image for ${os}/${arch} or install an emulator (package qemu-user-static)`,
  );
}
