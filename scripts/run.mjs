/**
 * Runs other programs for the scripts beside it: in the foreground with signals passed on, or
 * quietly with the output shown only when they fail. Works on Node 20 without any package.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Signals within this many milliseconds are one: a terminal and npm each deliver the same Ctrl-C. */
const ONE_PRESS_MS = 500;

/** Characters of a program's output that are kept for those who missed it: the summary is at its end. */
const KEPT_LENGTH = 8_000;

/** How often to look whether npm is still there, in milliseconds. */
const PARENT_CHECK_MS = 500;

const windows = process.platform === "win32";

/**
 * Environment in which the programs of `node_modules/.bin` come first.
 *
 * @param {string} root Folder of package.json.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NodeJS.ProcessEnv}
 */
export function withBin(root, env = process.env) {
  return { ...env, PATH: [join(root, "node_modules/.bin"), env["PATH"] ?? ""].join(delimiter) };
}

/**
 * Runs a program with our own input and output and waits for its end. It gets a process group of
 * its own, so that one Ctrl-C reaches it exactly once, from here; a second press reaches it too.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string; env?: NodeJS.ProcessEnv; shell?: boolean; heard?: (text: string) => void }} options
 * `heard` gets what the program prints, beside our own output.
 * @returns {Promise<number>} Its exit code; 128 + n when signal n ended it.
 */
export async function foreground(command, args, { cwd, env, shell = false, heard }) {
  /** @type {import("node:child_process").StdioOptions} */
  const stdio = heard === undefined ? "inherit" : ["inherit", "pipe", "pipe"];
  const child = spawn(command, args, { cwd, env, shell, stdio, detached: !windows });
  child.stdout?.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
    process.stdout.write(text);
    heard?.(text);
  });
  child.stderr?.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
    process.stderr.write(text);
    heard?.(text);
  });
  let lastMs = -Infinity;
  const passOn = (/** @type {NodeJS.Signals} */ signal) => {
    if (windows || performance.now() - lastMs < ONE_PRESS_MS) return;
    lastMs = performance.now();
    child.kill(signal);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, passOn);
  // npm puts a shell between itself and us, which dies of a SIGTERM without passing it on.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (!process.env["npm_lifecycle_event"] || process.ppid === parent) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, PARENT_CHECK_MS);
  try {
    return await exitCode(child);
  } finally {
    clearInterval(watch);
    for (const signal of signals) process.off(signal, passOn);
  }
}

/**
 * Like `foreground`, and keeps the end of what the program printed, so that it can be told again when
 * much more has been printed since. On a terminal the program has that to itself, and nothing is kept.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string; env?: NodeJS.ProcessEnv; shell?: boolean }} options
 * @returns {Promise<{ code: number; end: string }>}
 */
export async function remembered(command, args, options) {
  let end = "";
  if (process.stdout.isTTY) return { code: await foreground(command, args, options), end };
  const code = await foreground(command, args, {
    ...options,
    heard: (text) => {
      end = (end + text).slice(-KEPT_LENGTH);
    },
  });
  return { code, end };
}

/**
 * Runs a program out of sight.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string; env?: NodeJS.ProcessEnv; shell?: boolean }} options
 * @returns {Promise<{ code: number; output: string }>} `output` is stdout and stderr as they came.
 */
export async function quiet(command, args, { cwd, env, shell = false }) {
  const child = spawn(command, args, { cwd, env, shell, stdio: ["ignore", "pipe", "pipe"] });
  /** @type {string[]} */
  const output = [];
  child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => output.push(text));
  child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => output.push(text));
  const code = await exitCode(child);
  return { code, output: output.join("") };
}

/**
 * Like `quiet`, for a step that must succeed.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string; env?: NodeJS.ProcessEnv; shell?: boolean }} options
 * @throws {Error} With the output of the program when it fails.
 */
export async function must(command, args, options) {
  const { code, output } = await quiet(command, args, options);
  if (code === 0) return;
  throw new Error(
    `${output.trim()}\nCannot go on: "${[command, ...args].join(" ")}" ended with ${code}`,
  );
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<number>}
 */
function exitCode(child) {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
