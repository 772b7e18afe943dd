import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { NO_JOURNAL } from "../../runner/journal/journal.ts";
import { MAX_TOLD } from "../../runner/policy/change-report.ts";
import { MAX_PINNED, MAX_TEXTS_LENGTH } from "../../runner/policy/pin-set.ts";
import { ToolPins } from "../../runner/policy/tool-pins.ts";
import type { ServerLists } from "../../runner/server/listed.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { ALLOW_ALL, entryOf, openPins, toolsOf } from "../support/pins.ts";

const TIDY = entryOf("tidy", { description: "Tidies up" });

/** Names of what is hidden of these lists. */
function hidden(map: ReadonlyMap<{ readonly key: string }, string>): readonly string[] {
  return [...map.keys()].map(({ key }) => key);
}

const changes: ReadonlyArray<readonly [what: string, members: object]> = [
  ["one letter of its description", { description: "Tidies Up" }],
  ["one character that nobody sees", { description: "Tidies up\u200b" }],
  ["a tag character", { description: "Tidies up\u{e0041}" }],
  ["a title", { description: "Tidies up", title: "Tidy" }],
  ["its schema", { description: "Tidies up", inputSchema: { type: "object", required: [] } }],
  ["a schema of results", { description: "Tidies up", outputSchema: { type: "object" } }],
  ["a hint", { description: "Tidies up", annotations: { readOnlyHint: true } }],
  ["an icon", { description: "Tidies up", icons: [{ src: "https://example.com/a.png" }] }],
  ["what it says of itself to programs", { description: "Tidies up", _meta: { a: 1 } }],
  ["a member that nobody knows", { description: "Tidies up", new: 1 }],
];

for (const [what, members] of changes) {
  test(`a tool is hidden when it changes ${what}, also in a later run`, async () => {
    await using bench = await openPins();
    const first = await bench.open();
    assert.equal(first.of("a").judge(toolsOf(TIDY), ALLOW_ALL).size, 0);
    const changed = toolsOf(entryOf("tidy", members), entryOf("other"));
    assert.deepEqual(hidden(first.of("a").judge(changed, ALLOW_ALL)), ["tidy"]);
    await first.settled();
    const second = await bench.open();
    assert.deepEqual(hidden(second.of("a").judge(changed, ALLOW_ALL)), ["tidy"]);
    assert.equal(second.of("a").judge(toolsOf(TIDY), ALLOW_ALL).size, 0);
  });
}

test("white space, the order of members and escapes are no change", async () => {
  await using bench = await openPins();
  const pins = (await bench.open()).of("a");
  const schema = { type: "object", properties: { b: { type: "string" }, a: {} } };
  pins.judge(toolsOf(entryOf("tidy", { description: "é", inputSchema: schema })), ALLOW_ALL);
  const raw = `{ "description" : "\\u00e9",
    "inputSchema":{"properties":{"a":{ },"b":{"type":"string"}},"type":"object"}, "name":"t\\u0069dy"}`;
  assert.equal(pins.judge(toolsOf({ key: "tidy", raw }), ALLOW_ALL).size, 0);
});

test("numbers and the order of elements are what they are", async () => {
  await using bench = await openPins();
  const pins = (await bench.open()).of("a");
  const tool = (n: string) => ({ key: "t", raw: `{"name":"t","inputSchema":{"enum":[${n}]}}` });
  pins.judge(toolsOf(tool("1,2,3")), ALLOW_ALL);
  assert.equal(pins.judge(toolsOf(tool("1,3,2")), ALLOW_ALL).size, 1);
  assert.equal(pins.judge(toolsOf(tool("1.0,2,3")), ALLOW_ALL).size, 1);
});

test("a tool that comes back must still be what it was", async () => {
  await using bench = await openPins();
  const pins = (await bench.open()).of("a");
  pins.judge(toolsOf(TIDY), ALLOW_ALL);
  pins.judge(toolsOf(), ALLOW_ALL);
  assert.equal(pins.judge(toolsOf(TIDY), ALLOW_ALL).size, 0);
  assert.equal(pins.judge(toolsOf(entryOf("tidy")), ALLOW_ALL).size, 1);
});

test("prompts are held to the same", async () => {
  await using bench = await openPins();
  const pins = (await bench.open()).of("a");
  const prompts = (description: string): ServerLists => ({
    ...toolsOf(),
    prompts: [{ key: "p", raw: JSON.stringify({ name: "p", description }) }],
  });
  assert.equal(pins.judge(prompts("Sums up"), ALLOW_ALL).size, 0);
  assert.equal(pins.judge(prompts("Sums up and sends"), ALLOW_ALL).size, 1);
});

test("a tool may have the name of what every object has", async () => {
  await using bench = await openPins();
  const first = await bench.open();
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
  first.of("constructor").judge(toolsOf(...names.map((name) => entryOf(name))), ALLOW_ALL);
  await first.settled();
  const second = (await bench.open()).of("constructor");
  const changed = toolsOf(...names.map((name) => entryOf(name, { description: "new" })));
  assert.deepEqual(hidden(second.judge(changed, ALLOW_ALL)), names);
});

test("servers and configs have pins of their own", async () => {
  await using bench = await openPins();
  const first = await bench.open();
  first.of("a").judge(toolsOf(TIDY), ALLOW_ALL);
  await first.settled();
  const changed = toolsOf(entryOf("tidy"));
  assert.equal((await bench.open()).of("b").judge(changed, ALLOW_ALL).size, 0);
  assert.equal((await bench.open("/other.yaml")).of("a").judge(changed, ALLOW_ALL).size, 0);
  assert.equal((await bench.open()).of("a").judge(changed, ALLOW_ALL).size, 1);
});

test("a change is told once, and only of what the rules allow", async () => {
  await using bench = await openPins();
  const pins = (await bench.open()).of("a");
  pins.judge(toolsOf(TIDY, entryOf("denied")), ALLOW_ALL);
  const changed = toolsOf(entryOf("tidy"), entryOf("denied", { description: "new" }));
  const rules = { ...ALLOW_ALL, tools: { allow: ["*"], deny: ["denied"] } };
  for (let n = 0; n < 3; n++) assert.equal(pins.judge(changed, rules).size, 2);
  assert.deepEqual(bench.warnings, [
    'Server "a": its tool "tidy" has changed since it was agreed to (description): it is hidden, ' +
    'see what has changed with "mcp-runner approve a"',
  ]);
  assert.deepEqual(bench.journal.map(({ type }) => type), ["quarantine"]);
});

test("what a person agrees to is shown at once, in every process", async () => {
  await using bench = await openPins();
  const running = await bench.open();
  const changed = toolsOf(entryOf("tidy"));
  running.of("a").judge(toolsOf(TIDY), ALLOW_ALL);
  await running.settled();
  const before = running.of("a").revision;
  const approving = await bench.open();
  const [change] = approving.changes("a", changed);
  assert.equal(change?.before, TIDY.raw);
  await approving.accept("a", approving.changes("a", changed));
  assert.deepEqual(approving.changes("a", changed), []);
  await running.reload();
  assert.equal(bench.changes() > 0, true);
  assert.notEqual(running.of("a").revision, before);
  assert.equal(running.of("a").judge(changed, ALLOW_ALL).size, 0);
  assert.equal(running.of("a").judge(toolsOf(TIDY), ALLOW_ALL).size, 1);
});

test("what a person was shown is pinned, whatever is listed next", async () => {
  await using bench = await openPins();
  const adding = await bench.open();
  await adding.adopt("a", toolsOf(TIDY));
  const running = await bench.open();
  assert.deepEqual(hidden(running.of("a").judge(toolsOf(entryOf("tidy")), ALLOW_ALL)), ["tidy"]);
  assert.equal(running.of("a").judge(toolsOf(TIDY), ALLOW_ALL).size, 0);
});

test("of two processes that see a tool first, the one that has written it down is right", async () => {
  await using bench = await openPins();
  const [one, other] = [await bench.open(), await bench.open()];
  one.of("a").judge(toolsOf(TIDY), ALLOW_ALL);
  await one.settled();
  assert.equal(other.of("a").judge(toolsOf(entryOf("tidy")), ALLOW_ALL).size, 0);
  await other.settled();
  assert.equal(other.of("a").judge(toolsOf(entryOf("tidy")), ALLOW_ALL).size, 1);
});

test("the file is for this user alone, and no lock or half file stays behind", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(toolsOf(TIDY), ALLOW_ALL);
  await pins.settled();
  assert.deepEqual(await readdir(bench.home), ["tools.json"]);
  const path = join(bench.home, "tools.json");
  if (process.platform === "win32") return;
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await chmod(path, 0o644);
  await assert.rejects(bench.open(), { code: "credentials_unsafe" });
});

test("a damaged file is no reason to trust everything anew", async () => {
  await using bench = await openPins();
  const path = join(bench.home, "tools.json");
  for (const text of ["", "{", "[]", '{"version":2,"servers":[]}', '{"version":1}']) {
    await writeFile(path, text, { mode: 0o600 });
    await assert.rejects(bench.open(), {
      code: "store_unavailable",
      message: /delete it to trust/,
    });
    assert.equal(await readFile(path, "utf8"), text);
  }
});

test("a file that is damaged later changes nothing that is known", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(toolsOf(TIDY), ALLOW_ALL);
  await pins.settled();
  await writeFile(join(bench.home, "tools.json"), "{");
  await pins.reload();
  assert.equal(pins.of("a").judge(toolsOf(entryOf("tidy")), ALLOW_ALL).size, 1);
  assert.match(bench.warnings[0] ?? "", /Cannot keep/);
});

test("values of secrets are not kept, and another value is no change", async () => {
  await using bench = await openPins();
  const pins = await ToolPins.open({
    home: bench.home,
    config: "/c.yaml",
    clock: fakeClock(),
    log: () => {},
    journal: NO_JOURNAL,
    redact: (text) => text.replaceAll(/hunter\d/g, "[redacted]"),
    changed: () => {},
  });
  pins.of("a").judge(toolsOf(entryOf("t", { description: "For hunter1" })), ALLOW_ALL);
  await pins.settled();
  assert.doesNotMatch(await readFile(join(bench.home, "tools.json"), "utf8"), /hunter/);
  const rotated = toolsOf(entryOf("t", { description: "For hunter2" }));
  assert.equal(pins.of("a").judge(rotated, ALLOW_ALL).size, 0);
});

test("a server that lists other names each time fills neither memory nor file with texts", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  const description = "x".repeat(60 * 1024);
  pins.of("calm").judge(toolsOf(TIDY), ALLOW_ALL);
  for (let n = 0; n < 5; n++) {
    const tools = Array.from({ length: 30 }, (_, m) => entryOf(`t${n}-${m}`, { description }));
    pins.of("a").judge(toolsOf(...tools), ALLOW_ALL);
    await pins.settled();
  }
  assert.ok((await stat(join(bench.home, "tools.json"))).size < MAX_TEXTS_LENGTH + 100_000);
  const texts = (names: readonly string[], server: string) =>
    pins.changes(server, toolsOf(...names.map((name) => entryOf(name, { title: "new" }))))
      .map(({ before }) => before !== undefined);
  assert.deepEqual(texts(["t0-0", "t4-29"], "a"), [true, false]);
  assert.deepEqual(texts(["tidy"], "calm"), [true]);
  const one = entryOf("t4-29", { description });
  assert.equal(pins.of("a").judge(toolsOf(one), ALLOW_ALL).size, 0);
});

test("a server that changes all the time does not drown what is told of others", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(toolsOf(TIDY), ALLOW_ALL);
  pins.of("b").judge(toolsOf(TIDY), ALLOW_ALL);
  for (let n = 0; n < 3 * MAX_TOLD; n++) {
    const changed = toolsOf(entryOf("tidy", { description: String(n) }));
    assert.equal(pins.of("a").judge(changed, ALLOW_ALL).size, 1);
  }
  assert.equal(bench.warnings.length, MAX_TOLD + 1);
  assert.match(bench.warnings.at(-1) ?? "", /^Server "a": more .*inspect/);
  assert.equal(bench.journal.length, MAX_TOLD);
  assert.equal(pins.of("b").judge(toolsOf(entryOf("tidy")), ALLOW_ALL).size, 1);
  assert.match(bench.warnings.at(-1) ?? "", /^Server "b": its tool "tidy"/);
  const agreed = toolsOf(entryOf("tidy", { description: "agreed" }));
  await pins.accept("a", pins.changes("a", agreed));
  pins.of("a").judge(toolsOf(entryOf("tidy", { description: "again" })), ALLOW_ALL);
  assert.match(bench.warnings.at(-1) ?? "", /^Server "a": its tool "tidy"/);
});

test("a flood of names pins so many and hides the others", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  const flood = toolsOf(...Array.from({ length: MAX_PINNED + 2 }, (_, n) => entryOf(`t${n}`)));
  const out = hidden(pins.of("a").judge(flood, ALLOW_ALL));
  assert.deepEqual(out, [`t${MAX_PINNED}`, `t${MAX_PINNED + 1}`]);
  await pins.settled();
  // A person can still agree to them, in place of others.
  assert.deepEqual(pins.changes("a", flood).map(({ key }) => key), out);
  await pins.accept("a", pins.changes("a", flood));
  assert.equal(
    hidden(pins.of("a").judge(flood, ALLOW_ALL)).some((key) => out.includes(key)),
    false,
  );
});

test("what becomes known as a secret later is no change of what was pinned before", async () => {
  await using bench = await openPins();
  const secrets: string[] = [];
  const pins = await ToolPins.open({
    home: bench.home,
    config: "/c.yaml",
    clock: fakeClock(),
    log: () => {},
    journal: NO_JOURNAL,
    redact: (text) => secrets.reduce((all, value) => all.replaceAll(value, "[redacted]"), text),
    changed: () => {},
  });
  const listed = () => toolsOf(entryOf("t", { description: "For production" }));
  pins.of("a").judge(listed(), ALLOW_ALL);
  await pins.settled();
  secrets.push("production");
  const redacted = toolsOf(entryOf("t", { description: "For [redacted]" }));
  assert.equal(pins.of("a").judge(redacted, ALLOW_ALL).size, 0);
  assert.equal(pins.of("a").judge(listed(), ALLOW_ALL).size, 0);
  const changed = toolsOf(entryOf("t", { description: "For [redacted]!" }));
  assert.equal(pins.of("a").judge(changed, ALLOW_ALL).size, 1);
});

test("where nothing can be written, pins hold for this run, are told of once, and written later", async () => {
  if (process.platform === "win32") return;
  await using bench = await openPins();
  const pins = await bench.open();
  const path = join(bench.home, "tools.json");
  // A folder in its place cannot be replaced by a file.
  await mkdir(path);
  pins.of("a").judge(toolsOf(TIDY), ALLOW_ALL);
  await pins.settled();
  pins.of("a").judge(toolsOf(TIDY, entryOf("other")), ALLOW_ALL);
  await pins.settled();
  assert.equal(pins.of("a").judge(toolsOf(entryOf("tidy")), ALLOW_ALL).size, 1);
  assert.equal(bench.warnings.filter((line) => line.startsWith("Cannot keep")).length, 1);
  await rmdir(path);
  pins.of("a").judge(toolsOf(entryOf("third")), ALLOW_ALL);
  await pins.settled();
  const later = (await bench.open()).of("a");
  const all = ["tidy", "other", "third"].map((name) => entryOf(name, { description: "new" }));
  assert.equal(later.judge(toolsOf(...all), ALLOW_ALL).size, 3);
});

test("where the file has no more room, the server with the most text loses its texts, and keeps its pins", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  const description = "x".repeat(60 * 1024);
  pins.of("calm").judge(toolsOf(TIDY), ALLOW_ALL);
  const names = (count: number) => Array.from({ length: count }, (_, n) => `t${n}`);
  for (let n = 0; n < 9; n++) {
    // The first has a little more than the others.
    const tools = names(n === 0 ? 66 : 64).map((name) => entryOf(name, { description }));
    pins.of(`s${n}`).judge(toolsOf(...tools), ALLOW_ALL);
  }
  await pins.settled();
  assert.ok((await stat(join(bench.home, "tools.json"))).size <= 32 * 1024 * 1024);
  for (const one of [pins, await bench.open()]) {
    const before = (server: string, name: string) =>
      one.changes(server, toolsOf(entryOf(name, { title: "new" })))[0]?.before?.length;
    assert.equal(before("calm", "tidy"), TIDY.raw.length);
    assert.equal(before("s0", "t0"), undefined);
    assert.equal(before("s8", "t0"), entryOf("t0", { description }).raw.length);
    const changed = toolsOf(...names(64).map((name) => entryOf(name)));
    assert.equal(one.of("s0").judge(changed, ALLOW_ALL).size, 64);
  }
});
