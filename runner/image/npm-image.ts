/**
 * How npm packages get into images. Called by package-image.ts.
 *
 *     base image (base-image.ts) → npm install (npm-install.ts) → program (npm-entry.ts)
 *
 * @module
 */
import { readFile, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import * as v from "valibot";
import { ensureBaseImage } from "./base-image.ts";
import { readEntry } from "./npm-entry.ts";
import { installPackage } from "./npm-install.ts";
import { APP, type PackageKind } from "./package-image.ts";
import { cpuOf } from "./platform.ts";

/** Packages of npm's registry. */
export const npmPackage: PackageKind = {
  scheme: "npm",
  title: "npm package",
  revision: "2",
  async install(engine, { package: name, version }, directory, progress) {
    const base = await ensureBaseImage(engine, progress);
    const spec = version === undefined ? name : `${name}@${version}`;
    progress(`Installing npm package ${spec}`);
    const platform = { os: engine.os, cpu: cpuOf(engine.arch), libc: base.libc };
    await installPackage({ spec, directory, ...platform });
    const entry = await readEntry(directory, name);
    const program = posix.join(APP, "node_modules", name, entry.program);
    return {
      version: entry.version,
      integrity: await readIntegrity(directory, name),
      base: base.image,
      steps: [],
      entrypoint: [base.node, ...entry.nodeOptions, program],
    };
  },
};

const hiddenLock = v.object({
  packages: v.record(v.string(), v.object({ integrity: v.optional(v.string()) })),
});

/** Subresource Integrity, the strongest hash alone. */
const INTEGRITY = /^sha\d{1,3}-[A-Za-z0-9+/]{1,128}={0,2}$/;

/** Hash of the package's archive, which npm has checked, as it notes it in `node_modules`. */
async function readIntegrity(directory: string, name: string): Promise<string | undefined> {
  const path = join(directory, "node_modules", ".package-lock.json");
  const text = await readFile(path, "utf8").catch(() => "");
  // It names the registry that was used, which is no part of the package.
  await rm(path, { force: true });
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), hiddenLock), text);
  const told = parsed.success ? parsed.output.packages[`node_modules/${name}`]?.integrity : "";
  const strongest = told?.split(/\s+/).at(-1) ?? "";
  return INTEGRITY.test(strongest) ? strongest : undefined;
}
