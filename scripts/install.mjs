/**
 * Keeps node_modules in step with package-lock.json, for scripts/bootstrap.mjs.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { must } from "./run.mjs";

/** @typedef {Record<string, { version?: string; integrity?: string; optional?: boolean }>} Packages */

/**
 * Whether the installed packages are the locked ones. npm itself keeps the record: it writes
 * `node_modules/.package-lock.json` when an installation has succeeded. Packages that somebody
 * added by hand do no harm.
 *
 * @param {Packages} locked `packages` of package-lock.json.
 * @param {Packages} installed `packages` of node_modules/.package-lock.json.
 * @returns {boolean}
 */
export function isCurrent(locked, installed) {
  return Object.entries(locked).every(([path, { version, integrity, optional }]) => {
    const found = installed[path];
    if (path === "") return true; // the project itself
    if (found === undefined) return optional === true; // of another platform
    return found.version === version && found.integrity === integrity;
  });
}

/**
 * Runs `npm ci` unless node_modules is in order.
 *
 * @param {string} root Folder of package.json.
 * @param {(line: string) => void} say
 * @throws {Error} With npm's output when it fails.
 */
export async function ensureInstalled(root, say) {
  const record = join(root, "node_modules/.package-lock.json");
  const tools = ["node", "deno"].map((name) => join(root, "node_modules/.bin", name));
  // The install scripts of these two fetch their programs; without them there is nothing to run.
  const ready = existsSync(record) &&
    (process.platform === "win32" || tools.every((path) => existsSync(path)));
  if (ready && isCurrent(packagesOf(join(root, "package-lock.json")), packagesOf(record))) return;
  say("Installing the packages of package-lock.json with npm ci (once)");
  const { command, args, shell } = npm();
  await must(command, [...args, "ci", "--no-audit", "--no-fund"], {
    cwd: root,
    env: outsideEnv(root),
    shell,
  });
}

/**
 * @param {string} path
 * @returns {Packages}
 */
function packagesOf(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages;
}

/**
 * How to start npm: the one that runs us, on the Node that it runs on, else the one on PATH.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ command: string; args: string[]; shell: boolean }}
 */
export function npm(env = process.env) {
  const { npm_execpath: script, npm_node_execpath: node } = env;
  if (script !== undefined && /npm-cli\.c?js$/.test(script) && existsSync(script)) {
    return { command: node ?? process.execPath, args: [script], shell: false };
  }
  return { command: "npm", args: [], shell: process.platform === "win32" };
}

/**
 * Environment for npm without our own node_modules/.bin on PATH: `npm ci` deletes that folder, the
 * `node` in it included, and starts install scripts with the `node` that it finds.
 *
 * @param {string} root
 * @returns {NodeJS.ProcessEnv}
 */
function outsideEnv(root) {
  const own = join(root, "node_modules");
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) =>
    !folder.startsWith(own)
  );
  return { ...process.env, PATH: path.join(delimiter) };
}

/**
 * The Node 24 among the packages, which runs TypeScript as it is.
 *
 * @param {string} root
 * @returns {string}
 */
export function installedNode(root) {
  const name = process.platform === "win32" ? "node.exe" : "node";
  return join(root, "node_modules/node/bin", name);
}

/**
 * A Node that is new enough for the product (`engines` of package.json): ours, else the installed.
 *
 * @param {string} root
 * @param {string} version Of the Node that runs us, as in `process.versions.node`.
 * @returns {string}
 */
export function productNode(root, version = process.versions.node) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const enough = major > 22 || (major === 22 && minor >= 13);
  return enough ? process.execPath : installedNode(root);
}
