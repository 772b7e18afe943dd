import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EraMemories } from "../../runner/local/era-memory.ts";
import { fakeClock } from "../support/fake-clock.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Runs `story` with a state directory of its own. */
async function withHome(story: (home: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "mcp-runner-eras-"));
  try {
    await story(home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

test("a verdict outlives the program, for the image that it was found with", async () => {
  await withHome(async (home) => {
    const memories = await EraMemories.open(home, fakeClock());
    memories.of(() => "sha256:a").set("modern");
    memories.of(() => "sha256:b").set("legacy");
    await memories.settled();
    const later = await EraMemories.open(home, fakeClock());
    assert.equal(later.of(() => "sha256:a").get(), "modern");
    assert.equal(later.of(() => "sha256:b").get(), "legacy");
    assert.equal(later.of(() => "sha256:c").get(), undefined);
    assert.equal((await stat(join(home, "eras.json"))).mode & 0o777, 0o600);
  });
});

test("a legacy verdict is worth nothing after seven days, a modern one stays", async () => {
  await withHome(async (home) => {
    const clock = fakeClock();
    const memories = await EraMemories.open(home, clock);
    const [legacy, modern] = [memories.of(() => "b"), memories.of(() => "a")];
    legacy.set("legacy");
    modern.set("modern");
    clock.advance(7 * DAY_MS - 1);
    assert.deepEqual([legacy.get(), modern.get()], ["legacy", "modern"]);
    clock.advance(1);
    assert.deepEqual([legacy.get(), modern.get()], [undefined, "modern"]);
    legacy.set("legacy");
    assert.equal(legacy.get(), "legacy");
    await memories.settled();
  });
});

test("as long as the image is not known, nothing is known and nothing is kept", async () => {
  await withHome(async (home) => {
    const memories = await EraMemories.open(home, fakeClock());
    const found = new Set<string>();
    const memory = memories.of(() => [...found][0]);
    memory.set("legacy");
    assert.equal(memory.get(), undefined);
    found.add("sha256:a");
    memory.set("legacy");
    await memories.settled();
    const kept = JSON.parse(await readFile(join(home, "eras.json"), "utf8")) as object;
    assert.deepEqual(Object.keys(kept), ["sha256:a"]);
  });
});

for (const text of ["", "{", "[]", '{"a":{"era":"old","at":1}}']) {
  test(`a file that holds ${JSON.stringify(text)} counts as empty and is replaced`, async () => {
    await withHome(async (home) => {
      await writeFile(join(home, "eras.json"), text);
      const memories = await EraMemories.open(home, fakeClock());
      const memory = memories.of(() => "a");
      assert.equal(memory.get(), undefined);
      memory.set("modern");
      await memories.settled();
      assert.equal((await EraMemories.open(home, fakeClock())).of(() => "a").get(), "modern");
    });
  });
}
