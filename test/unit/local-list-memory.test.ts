import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ListMemories } from "../../runner/local/list-memory.ts";
import { createRedactor } from "../../runner/secrets/redacting.ts";
import { redactJson } from "../../runner/secrets/redact-json.ts";
import type { ServerLists } from "../../runner/server/listed.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { toolsOf } from "../support/pins.ts";

const NOTHING = toolsOf();

/** Lists of one tool, whose description has `length` characters. */
function lists(name: string, length = 0): ServerLists {
  const description = "x".repeat(length);
  const raw = JSON.stringify({ name, description, inputSchema: { type: "object" } });
  return { ...NOTHING, tools: [{ key: name, raw }], instructions: "Be kind" };
}

async function inHome(run: (home: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "lists-"));
  try {
    await run(home);
  } finally {
    await rm(home, { recursive: true });
  }
}

test("what a program lists is known to the next run, and to no other program", () =>
  inHome(async (home) => {
    const first = await ListMemories.open(home, fakeClock());
    first.of(() => "image-1").set(lists("a"));
    await first.settled();
    const second = await ListMemories.open(home, fakeClock());
    assert.deepEqual(second.of(() => "image-1").get(), lists("a"));
    assert.equal(second.of(() => "image-2").get(), undefined);
    assert.equal(second.of(() => undefined).get(), undefined);
  }));

test("while it is not known which program it is, nothing is kept", () =>
  inHome(async (home) => {
    const memories = await ListMemories.open(home, fakeClock());
    memories.of(() => undefined).set(lists("a"));
    await memories.settled();
    assert.deepEqual(await readdir(home), []);
  }));

test("the file is for this user alone and does not hold the key as it is", () =>
  inHome(async (home) => {
    const memories = await ListMemories.open(home, fakeClock());
    memories.of(() => '["image","--key=hunter2"]').set(lists("a"));
    await memories.settled();
    const path = join(home, "lists.json");
    assert.deepEqual(await readdir(home), ["lists.json"]);
    if (process.platform !== "win32") assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.doesNotMatch(await readFile(path, "utf8"), /hunter2/);
  }));

test("many changes at once are all there in the end", () =>
  inHome(async (home) => {
    const memories = await ListMemories.open(home, fakeClock());
    for (let n = 0; n < 50; n++) memories.of(() => `p${n % 5}`).set(lists(`t${n}`));
    await memories.settled();
    const next = await ListMemories.open(home, fakeClock());
    for (let n = 45; n < 50; n++) {
      assert.deepEqual(next.of(() => `p${n % 5}`).get(), lists(`t${n}`));
    }
  }));

test("lists that are too large are not kept, nor what was kept before", () =>
  inHome(async (home) => {
    const memories = await ListMemories.open(home, fakeClock());
    const memory = memories.of(() => "p");
    memory.set(lists("a"));
    memory.set(lists("a", 5 * 1024 * 1024));
    assert.equal(memory.get(), undefined);
    await memories.settled();
  }));

test("of too many programs those that listed longest ago are forgotten", () =>
  inHome(async (home) => {
    const clock = fakeClock();
    const memories = await ListMemories.open(home, clock);
    for (let n = 0; n < 250; n++) {
      memories.of(() => `p${n}`).set(lists("a"));
      clock.advance(1);
    }
    assert.equal(memories.of(() => "p0").get(), undefined);
    assert.notEqual(memories.of(() => "p249").get(), undefined);
    for (let n = 0; n < 12; n++) {
      memories.of(() => `large${n}`).set(lists("a", 0.9 * 1024 * 1024));
      clock.advance(1);
    }
    await memories.settled();
    assert.ok((await stat(join(home, "lists.json"))).size < 10 * 1024 * 1024);
    assert.equal(memories.of(() => "large0").get(), undefined);
    assert.notEqual(memories.of(() => "large11").get(), undefined);
  }));

const bad: Array<[what: string, text: string]> = [
  ["nothing", ""],
  ["half of a file", '{"abc":{"at":1,"te'],
  ["a list", "[]"],
  ["an entry of another form", '{"abc":{"at":1}}'],
  ["another value", "null"],
];

for (const [what, text] of bad) {
  test(`a file that holds ${what} counts as empty, and is replaced`, () =>
    inHome(async (home) => {
      await writeFile(join(home, "lists.json"), text);
      const memories = await ListMemories.open(home, fakeClock());
      const memory = memories.of(() => "p");
      assert.equal(memory.get(), undefined);
      memory.set(lists("a"));
      await memories.settled();
      const next = await ListMemories.open(home, fakeClock());
      assert.deepEqual(next.of(() => "p").get(), lists("a"));
    }));
}

const raws: Array<[what: string, raw: string]> = [
  ["no JSON", "{"],
  ["under another name", '{"name":"b","inputSchema":{}}'],
  ["without a schema", '{"name":"a"}'],
  ["two values", '{"name":"a","inputSchema":{}},{}'],
];

for (const [what, raw] of raws) {
  test(`kept lists with a tool that is ${what} are not believed`, () =>
    inHome(async (home) => {
      const memories = await ListMemories.open(home, fakeClock());
      const memory = memories.of(() => "p");
      memory.set({ ...NOTHING, tools: [{ key: "a", raw }] });
      assert.equal(memory.get(), undefined);
      await memories.settled();
    }));
}

const hiding: Array<[where: string, listed: ServerLists]> = [
  ["a description", {
    ...NOTHING,
    tools: [{ key: "a", raw: '{"name":"a","description":"key hunter22","inputSchema":{}}' }],
  }],
  ["an escaped description", {
    ...NOTHING,
    tools: [{ key: "a", raw: '{"name":"a","description":"hunter\\u00322","inputSchema":{}}' }],
  }],
  ["its instructions", { ...NOTHING, instructions: "Log in with hunter22" }],
  ["the key of an entry that is left out", {
    ...NOTHING,
    broken: [{ list: "tools", key: "hunter22", why: "is none" }],
  }],
];

for (const [where, listed] of hiding) {
  test(`lists with a secret in ${where} are not kept, and those before it neither`, () =>
    inHome(async (home) => {
      const redactor = createRedactor();
      redactor.add("KEY", "hunter22");
      const redact = (json: string) => redactJson(json, redactor);
      const memories = await ListMemories.open(home, fakeClock(), redact);
      const memory = memories.of(() => "p");
      memory.set(lists("a"));
      await memories.settled();
      assert.deepEqual(memory.get(), lists("a"));
      memory.set(listed);
      await memories.settled();
      assert.equal(memory.get(), undefined);
      assert.equal(await readFile(join(home, "lists.json"), "utf8"), "{}");
    }));
}
