/**
 * The built files stand alone: what `npm run build` makes runs with nothing beside it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import ts from "typescript";
import {
  bundle,
  MAX_WORKER_GZIP_BYTES,
  runnerOptions,
  workerOptions,
} from "../../scripts/build.mjs";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Specifiers that `code` would import when it is loaded. */
function staticImports(code: string): string[] {
  const tree = ts.createSourceFile("bundle.js", code, ts.ScriptTarget.Latest, false);
  return tree.statements.flatMap((statement) => {
    const loads = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
    if (!loads || statement.moduleSpecifier === undefined) return [];
    return ts.isStringLiteral(statement.moduleSpecifier) ? [statement.moduleSpecifier.text] : [];
  });
}

for (const name of ["worker.js", "runner.js", "program.js", "egress.js"]) {
  test(`dist/${name} has no static import`, async () => {
    const code = await readFile(join(root, "dist", name), "utf8");
    assert.deepEqual(staticImports(code), []);
  });
}

test("staticImports() sees an import in minified code", () => {
  assert.deepEqual(staticImports(`var a=1;import{readFile as b}from"node:fs";b(a);`), ["node:fs"]);
});

test("dist/worker.js stays under its limit", async () => {
  const bytes = gzipSync(await readFile(join(root, "dist/worker.js")), { level: 9 }).length;
  assert.ok(bytes <= MAX_WORKER_GZIP_BYTES, `${bytes} bytes gzip`);
});

test("dist/runner.js can be executed", async () => {
  const path = join(root, "dist/runner.js");
  assert.match(await readFile(path, "utf8"), /^#!\/usr\/bin\/env node\n/);
  assert.equal((await stat(path)).mode & 0o111, 0o111);
});

test("dist/LICENSES.txt names what is inside", async () => {
  const text = await readFile(join(root, "dist/LICENSES.txt"), "utf8");
  for (const name of ["hono", "dockerode", "valibot", "yaml"]) {
    assert.match(text, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(.+\\)$`, "m"));
  }
  assert.doesNotMatch(text, /^ssh2 /m);
});

/** Bundles `source` alone. */
async function bundled(source: string, options: typeof workerOptions): Promise<string> {
  return await inFolder(async (folder) => {
    await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    await writeFile(join(folder, "entry.ts"), source);
    const job = { root: folder, entry: "entry.ts", version: "1.2.3", options };
    return new TextDecoder().decode((await bundle(job)).code);
  });
}

/** What `code` prints when it runs far from any node_modules. */
async function output(code: string): Promise<{ stdout: string; stderr: string }> {
  return await inFolder(async (folder) => {
    await writeFile(join(folder, "bundle.mjs"), code);
    return await run(process.execPath, [join(folder, "bundle.mjs")]);
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-bundle-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("bundle() asks the runtime for a Node builtin instead of importing it", async () => {
  const source = `import { posix } from "node:path"; console.log(posix.join("a", "b"));`;
  const code = await bundled(source, workerOptions);
  assert.deepEqual(staticImports(code), []);
  assert.deepEqual(await output(code), { stdout: "a/b\n", stderr: "" });
});

test("bundle() puts the version of package.json into the code", async () => {
  const code = await bundled("console.log(MCP_RUNNER_VERSION);", runnerOptions);
  assert.deepEqual(await output(code), { stdout: "1.2.3\n", stderr: "" });
});

test("bundle() refuses code that would import something at run time", async () => {
  const options = { ...workerOptions, external: ["hono"] };
  await assert.rejects(
    bundled(`import { Hono } from "hono"; new Hono();`, options),
    /Cannot bundle entry\.ts: it would still import hono at run time/,
  );
});

const unreachable: Array<[why: string, options: string, answer: RegExp]> = [
  ["over ssh, which is not supported", `protocol: "ssh"`, /^An ssh:\/\/ Docker host is not supp/],
  ["over TCP, without a warning of Node", `protocol: "http", port: 1`, /^connect ECONNREFUSED/],
];

for (const [why, options, answer] of unreachable) {
  test(`a bundled dockerode asks an engine ${why}`, async () => {
    const source = `import Docker from "dockerode";
      const docker = new Docker({ ${options}, host: "127.0.0.1", username: "ada" });
      try { console.log(await docker.ping()); } catch (error) { console.log(error.message); }`;
    const { stdout, stderr } = await output(await bundled(source, runnerOptions));
    assert.match(stdout, answer);
    assert.equal(stderr, "");
  });
}
