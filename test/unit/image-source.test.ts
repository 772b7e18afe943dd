import assert from "node:assert/strict";
import { test } from "node:test";
import { commandPrefix } from "../../runner/image/image.ts";
import { chooseProgram, nodeOptions } from "../../runner/image/npm-entry.ts";
import { cpuOf } from "../../runner/image/platform.ts";
import { withTag } from "../../runner/image/pull.ts";
import { recipe } from "../../runner/image/local-image.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;
const references: [reference: string, pulled: string][] = [
  ["ada/notes", "ada/notes:latest"],
  ["ada/notes:1.2", "ada/notes:1.2"],
  ["localhost:5000/notes", "localhost:5000/notes:latest"],
  ["localhost:5000/notes:1", "localhost:5000/notes:1"],
  [`ada/notes@${DIGEST}`, `ada/notes@${DIGEST}`],
];
for (const [reference, pulled] of references) {
  test(`withTag() of ${reference} is ${pulled}`, () => {
    assert.equal(withTag(reference), pulled);
  });
}

test("commandPrefix() appends arguments to the entry point, or to the command without one", () => {
  const facts = (Entrypoint: string[], Cmd: string[]) => ({
    Config: { User: "", Env: [], Volumes: {}, Entrypoint, Cmd },
  });
  assert.deepEqual(commandPrefix(facts(["/server"], ["--help"])), []);
  assert.deepEqual(commandPrefix(facts([], ["node", "server.js"])), ["node", "server.js"]);
  assert.deepEqual(commandPrefix(facts([], [])), []);
});

const programs: [why: string, bin: string | Record<string, string>, program: string][] = [
  ["the only one", { other: "dist/index.js" }, "dist/index.js"],
  ["one without a name", "cli.js", "cli.js"],
  ["one of several names for the same file", { a: "cli.js", b: "cli.js" }, "cli.js"],
  ["the one named as the package", { helper: "h.js", server: "s.js" }, "s.js"],
];
for (const [why, bin, program] of programs) {
  test(`chooseProgram() takes ${why}`, () => {
    assert.equal(chooseProgram("@ada/server", bin), program);
  });
}

test("chooseProgram() refuses a library, and several programs without a leading one", () => {
  assert.throws(() => chooseProgram("ada", undefined), { message: /it is a library/ });
  assert.throws(() => chooseProgram("ada", { a: "a.js", b: "b.js" }), {
    code: "image_missing",
    message: /several programs \(a, b\) and none is named as the package/,
  });
});

const lines: [line: string, options: string[]][] = [
  ["#!/usr/bin/env node", []],
  ["#!/usr/bin/node", []],
  ["#!/usr/bin/env -S node --no-warnings --enable-source-maps", [
    "--no-warnings",
    "--enable-source-maps",
  ]],
  ["console.log(1)", []],
  ["", []],
];
for (const [line, options] of lines) {
  test(`nodeOptions() of "${line}" are [${options.join(", ")}]`, () => {
    assert.deepEqual(nodeOptions("ada", line), options);
  });
}

test("nodeOptions() refuses a program for another interpreter", () => {
  assert.throws(() => nodeOptions("ada", "#!/usr/bin/env python3"), {
    message: /needs "\/usr\/bin\/env python3"/,
  });
});

test("recipe() differs by every ingredient and its place", () => {
  const hashes = [["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""], ["a,b"]]
    .map((ingredients) => recipe("x", ...ingredients).hash);
  assert.equal(new Set(hashes).size, hashes.length);
  assert.equal(recipe("x", "a").hash, recipe("x", "a").hash);
});

test("cpuOf() knows npm's names of processors", () => {
  const names = ["amd64", "arm64", "386", "s390x"].map(cpuOf);
  assert.deepEqual(names, ["x64", "arm64", "ia32", "s390x"]);
});
