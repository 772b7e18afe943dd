import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatLock, lockPath, openImageLock, parseLock } from "../../runner/image/lock.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const quiet = () => assert.fail("No warning is due");

async function inFolder(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-lock-test-"));
  try {
    await use(join(folder, "mcp-runner.lock"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("lockPath() is beside the configuration", () => {
  assert.equal(
    lockPath(join("/home/ada", "mcp-runner.yaml")),
    join("/home/ada", "mcp-runner.lock"),
  );
});

test("formatLock() writes the same text in whatever order the pins came", () => {
  const pins: [string, { digest: string; version?: string; integrity?: string }][] = [
    ["npm:notes", { digest: digest("a"), version: "1.2.3", integrity: "sha512-AA==" }],
    ["ada/notes:1", { digest: digest("b") }],
  ];
  const text = formatLock(new Map(pins));
  assert.equal(text, formatLock(new Map(pins.toReversed())));
  assert.equal(text.endsWith("}\n"), true);
  assert.ok(text.indexOf("ada/notes:1") < text.indexOf("npm:notes"));
  assert.deepEqual(parseLock("x", text), new Map(pins));
});

test("a pin that was set is there for whoever opens the lock later", () =>
  inFolder(async (path) => {
    const lock = openImageLock(path, quiet);
    assert.equal(lock.get("ada/notes:1"), undefined);
    await lock.set("ada/notes:1", { digest: digest("a") });
    assert.deepEqual(lock.get("ada/notes:1"), { digest: digest("a") });
    assert.deepEqual(openImageLock(path, quiet).get("ada/notes:1"), { digest: digest("a") });
  }));

test("writers of one lock lose nothing of each other, and leave only the lock", () =>
  inFolder(async (path) => {
    const [one, two] = [openImageLock(path, quiet), openImageLock(path, quiet)];
    const names = Array.from({ length: 12 }, (_, at) => `image-${at}:1`);
    await Promise.all(
      names.map((name, at) => (at % 2 === 0 ? one : two).set(name, { digest: digest("c") })),
    );
    const later = openImageLock(path, quiet);
    for (const name of names) assert.deepEqual(later.get(name), { digest: digest("c") });
    assert.deepEqual(await readdir(join(path, "..")), ["mcp-runner.lock"]);
  }));

test("a change that another process makes is seen by the next get()", () =>
  inFolder(async (path) => {
    const runner = openImageLock(path, quiet);
    await runner.set("ada/notes:1", { digest: digest("a") });
    await openImageLock(path, quiet).set("ada/notes:1", { digest: digest("b") });
    assert.deepEqual(runner.get("ada/notes:1"), { digest: digest("b") });
    await rm(path);
    assert.equal(runner.get("ada/notes:1"), undefined);
  }));

const invalid: [why: string, text: string, message: RegExp][] = [
  ["is not JSON", "version: 1", /it is not JSON, restore it, or delete it/],
  ["holds a merge conflict", '{\n<<<<<<< HEAD\n"a": 1', /it holds a merge conflict/],
  ["is of another version", '{"version":2,"pins":{}}', /is of another version of mcp-runner/],
  [
    "holds what is no digest",
    '{"version":1,"pins":{"a:1":{"digest":"sha256:12"}}}',
    /is not sha256: and 64 hex digits/,
  ],
  ["has members of others", '{"version":1,"pins":{},"images":{}}', /images/],
];
for (const [why, text, message] of invalid) {
  test(`openImageLock() refuses a file that ${why}, and names it`, () =>
    inFolder(async (path) => {
      await writeFile(path, text);
      assert.throws(() => openImageLock(path, quiet), (error: Error) => {
        assert.ok(error.message.startsWith(`Cannot use ${path}: `), error.message);
        assert.match(error.message, message);
        return Reflect.get(error, "code") === "config_invalid";
      });
    }));
}

test("a lock that becomes invalid is refused, and is not overwritten", () =>
  inFolder(async (path) => {
    const lock = openImageLock(path, quiet);
    await lock.set("ada/notes:1", { digest: digest("a") });
    await writeFile(path, "{");
    assert.throws(() => lock.get("ada/notes:1"), { code: "config_invalid" });
    await assert.rejects(lock.set("other:1", { digest: digest("b") }), { code: "config_invalid" });
    assert.equal(await readFile(path, "utf8"), "{");
  }));

test("where the lock cannot be written, pins last as long as the process and one warning says so", () =>
  inFolder(async (path) => {
    const warnings: string[] = [];
    // A folder that is not there refuses writers, those of root too.
    const lock = openImageLock(join(path, "none", "mcp-runner.lock"), (line) => {
      warnings.push(line);
    });
    await lock.set("a:1", { digest: digest("a") });
    await lock.set("b:1", { digest: digest("b") });
    assert.deepEqual(lock.get("a:1"), { digest: digest("a") });
    assert.deepEqual(lock.get("b:1"), { digest: digest("b") });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /^Cannot write .*: images are pinned until mcp-runner ends/);
  }));
