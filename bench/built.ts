import { fileURLToPath } from "node:url";

/** Path of a file that scripts/build.mjs makes. */
export function builtFile(name: "worker.js" | "runner.js"): string {
  return fileURLToPath(new URL(`../dist/${name}`, import.meta.url));
}
