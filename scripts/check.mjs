/**
 * Everything that can be said about the source without running it: types, format, lint, unused code.
 *
 * All run at once and all are reported, so that one look shows every complaint. Called by
 * `npm run check` and by scripts/bootstrap.mjs as the first part of `npm test`.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { quiet, withBin } from "./run.mjs";

/** @type {readonly (readonly [program: string, ...args: string[]])[]} */
const CHECKS = [
  ["tsc", "-p", "tsconfig.json"],
  ["deno", "fmt", "--check"],
  ["deno", "lint"],
  ["oxlint", "--type-aware", "--deny-warnings"],
  ["knip"],
];

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const running = CHECKS.map(async ([program, ...args]) => {
  const startMs = performance.now();
  const options = { cwd: root, env: withBin(root), shell: process.platform === "win32" };
  const { code, output } = await quiet(program, args, options);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  return { name: [program, ...args].join(" "), code, output: output.trim(), seconds };
});

for (const { name, code, output, seconds } of await Promise.all(running)) {
  if (code !== 0) console.log(`\n${output}\n`);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (code !== 0) process.exitCode = 1;
}
