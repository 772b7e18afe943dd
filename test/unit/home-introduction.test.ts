import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Client,
  messageOf,
  modern,
  post,
  type ServerFacts,
  startWorkerInMemory,
} from "../support/home.ts";

async function instructionsFor(client: Client): Promise<string> {
  const { result = {} } = await messageOf(await modern(client, "server/discover"));
  return String(result["instructions"]);
}

const NOTES: ServerFacts = {
  name: "notes",
  tools: ["notes__read"],
  instructions: "  Read before you write.\n",
};
const GIT: ServerFacts = {
  name: "git",
  resources: ["git://head"],
  instructions: 'Say "please" ü\u2028.',
};

test("the instructions of each server come under its name, after a word on names", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ servers: [NOTES, { name: "silent", tools: ["silent__x"] }, GIT] });
  assert.match(
    await instructionsFor(await worker.client()),
    /^[^\n]+<server>__<tool>[^\n]+\n\n# notes\n\nRead before you write\.\n\n# git\n\nSay "please" ü\u2028\.$/,
  );
});

test("a client is told of the use of servers that it sees something of", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ servers: [NOTES, GIT] });
  const grants: ReadonlyArray<readonly [pattern: string, told: readonly string[]]> = [
    ["notes__read", ["notes"]],
    ["git__git://*", ["git"]],
    ["git__log", []],
    ["none__*", []],
  ];
  for (const [pattern, told] of grants) {
    const text = await instructionsFor(await worker.client(pattern));
    assert.deepEqual([...text.matchAll(/^# (.*)$/gm)].map(([, name]) => name), told, pattern);
  }
});

test("of two servers with one name the first one's instructions are told", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ id: "b", servers: [{ ...NOTES, instructions: "second" }] });
  await worker.runner({ id: "a", servers: [{ ...NOTES, instructions: "first" }] });
  const text = await instructionsFor(await worker.client());
  assert.match(text, /first/);
  assert.doesNotMatch(text, /second/);
});

test("instructions are cut at 4 Ki characters for each server and at 16 Ki for all", async () => {
  const worker = startWorkerInMemory();
  const servers = Array.from({ length: 6 }, (_, n) => ({
    name: `s${n}`,
    tools: [`s${n}__x`],
    instructions: `${"x".repeat(4_000 + n)}${"😀".repeat(2_000)}`,
  }));
  const runner = await worker.runner({ servers: servers.slice(0, 1) });
  const client = await worker.client();
  const [, one = ""] = (await instructionsFor(client)).split("# s0\n\n");
  assert.ok(one.length <= 4_096 && one.length > 4_090, `${one.length}`);
  assert.ok(one.endsWith("…") && one.isWellFormed());
  runner.offerServers(...servers);
  const all = await instructionsFor(client);
  assert.ok(all.length <= 16_384 && all.length > 16_370, `${all.length}`);
  assert.ok(all.endsWith("…") && all.isWellFormed());
});

test("an initialized session is told the same, and of capabilities that its revision knows", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ servers: [NOTES, GIT] });
  const client = await worker.client("git__*");
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "t", version: "1" },
  };
  const body = { jsonrpc: "2.0", id: 0, method: "initialize", params };
  const { result = {} } = await messageOf(await post(client, JSON.stringify(body)));
  assert.equal(result["instructions"], await instructionsFor(client));
  assert.deepEqual(result["capabilities"], {
    tools: { listChanged: true },
    prompts: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    completions: {},
    logging: {},
  });
});
