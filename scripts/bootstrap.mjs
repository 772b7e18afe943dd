/**
 * Takes a fresh clone to a running product: `npm start`, `npm test`, `npm run bench`,
 * `npm run conformance` and `npm run attacks`.
 *
 * Plain JavaScript on Node's own modules, since nothing is installed yet when it starts; Node 20 is
 * enough. It installs the packages, builds, finds or brings up a Docker engine, and hands over. What
 * it says itself goes to stderr, so that `npm start -- --once --json` keeps stdout for its result.
 *
 * @module
 */
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureEngine } from "./engine.mjs";
import { ensureInstalled, installedNode, npm, productNode } from "./install.mjs";
import { foreground, must, remembered, withBin } from "./run.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Folders of test/ that must hold tests: an emptied one must not look like a passed one. */
const TEST_FOLDERS = ["unit", "runtime", "docker", "e2e", "package"];

/** Longest that one test file may take, in milliseconds. */
const TEST_FILE_MS = 300_000;

/** @type {Record<string, (args: string[]) => Promise<number>>} */
const COMMANDS = { start, test, bench, conformance, attacks };

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * The main job: the embedded worker, a runner, an example server and one call through all of them.
 *
 * @param {string[]} args
 */
async function start(args) {
  const node = productNode(root);
  await must(node, ["scripts/build.mjs"], { cwd: root });
  await ensureEngine(say);
  const example = ["--config", "docs/examples/everything.yaml", "--try", "everything__echo"];
  const message = ["--args", JSON.stringify({ message: "hello from mcp-runner" })];
  // A run that ends by itself must not fail because a running one has the usual port.
  const port = args.includes("--once") ? ["--port", "0"] : [];
  const env = { ...process.env, MCP_RUNNER_HOME: join(root, "out/home") };
  const up = ["dist/runner.js", "up", "--yes", ...example, ...message, ...port, ...args];
  return await foreground(node, up, { cwd: root, env });
}

/**
 * Every check and every test. Arguments go to `node --test`; when some of them are files, only
 * those run.
 *
 * @param {string[]} args
 */
async function test(args) {
  const node = installedNode(root);
  const chosen = args.some((arg) => existsSync(join(root, arg)));
  const files = chosen ? [] : testFiles();
  await must(node, ["scripts/build.mjs"], { cwd: root });
  await ensureEngine(say);
  const tool = npm();
  const testing = ["--test", `--test-timeout=${TEST_FILE_MS}`];
  const checks = chosen ? [] : [
    { title: "Format, lint, types, unused code", command: node, args: ["scripts/check.mjs"] },
    { ...tool, title: "Unit tests on Deno", args: [...tool.args, "run", "--silent", "test:deno"] },
  ];
  const alone = files.filter((file) => file.startsWith("test/unit/"));
  const shared = files.filter((file) => !file.startsWith("test/unit/"));
  const parallel = [...testing, `--test-concurrency=${availableParallelism()}`, ...args, ...alone];
  const units = chosen ? [] : [{ title: "Unit tests on Node 24", command: node, args: parallel }];
  // One file at a time: the engine is shared, and so are two cores.
  const serial = [...testing, "--test-concurrency=1", ...args, ...shared];
  const tests = [...units, { title: "Tests on Node 24", command: node, args: serial }];
  /** @type {{ title: string; end: string }[]} */
  const failed = [];
  for (const { title, command, args, ...options } of [...checks, ...tests]) {
    say(`\n${title}`);
    const where = { ...options, cwd: root, env: withBin(root) };
    const { code, end } = await remembered(command, args, where);
    if (code > 128) return code; // interrupted
    if (code !== 0) failed.push({ title, end });
  }
  // Whoever reads a log from its end sees what failed, however much came after it.
  for (const { title, end } of failed) if (end !== "") say(`\nThe end of "${title}":\n${end}`);
  if (failed.length > 0) say(`\nFailed: ${failed.map(({ title }) => title).join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

/**
 * Test files relative to the project.
 *
 * @throws {Error} When a folder that should hold tests has none.
 */
function testFiles() {
  const found = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/")).filter((path) => path.endsWith(".test.ts"));
  const empty = TEST_FOLDERS.filter((folder) =>
    !found.some((path) => path.startsWith(`${folder}/`))
  );
  if (empty.length > 0) {
    throw new Error(`Cannot test: no *.test.ts in test/${empty.join(", test/")}`);
  }
  return found.map((path) => `test/${path}`);
}

/** @param {string[]} args */
async function bench(args) {
  const node = installedNode(root);
  await must(node, ["scripts/build.mjs"], { cwd: root });
  await ensureEngine(say);
  return await foreground(node, ["bench/bench.ts", ...args], { cwd: root });
}

/**
 * The official conformance suite against the whole path, docs/mcp.md.
 *
 * @param {string[]} args
 */
async function conformance(args) {
  const node = installedNode(root);
  await must(node, ["scripts/build.mjs"], { cwd: root });
  await ensureEngine(say);
  return await foreground(node, ["test/conformance/conformance.ts", ...args], { cwd: root });
}

/**
 * Hostile servers in real containers, docs/attacks.md.
 *
 * @param {string[]} args
 */
async function attacks(args) {
  const node = installedNode(root);
  await must(node, ["scripts/build.mjs"], { cwd: root });
  await ensureEngine(say);
  return await foreground(node, ["test/attacks/attacks.ts", ...args], { cwd: root });
}

const [name = "", ...args] = process.argv.slice(2);
const command = COMMANDS[name];
try {
  if (command === undefined) {
    throw new Error(`Cannot run "${name}": choose ${Object.keys(COMMANDS).join(", ")}`);
  }
  await ensureInstalled(root, say);
  process.exitCode = await command(args);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
