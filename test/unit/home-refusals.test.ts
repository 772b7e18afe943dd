import assert from "node:assert/strict";
import { test } from "node:test";
import { callTool, inSession, modern, openSession, startWorkerInMemory } from "../support/home.ts";

/** Names that a client with the grant `notes__re*` must not tell apart. */
const refused: ReadonlyArray<readonly [why: string, name: string]> = [
  ["a tool that exists but is not granted", "notes__write"],
  ["a tool of another server", "git__log"],
  ["a granted name that nobody offers", "notes__rename"],
  ["a tool that nobody has", "nobody__has"],
  ["a name without a server", "read"],
  ["a name of a server alone", "notes__"],
  ["a name of a tool alone", "__read"],
  ["an empty name", ""],
  ["another case", "Notes__Read"],
  ["space around it", " notes__read"],
  ["a wildcard", "notes__*"],
  ["a path", "notes__../read"],
  ["a key of every object", "__proto__"],
  ["a tool of a server that is not up", "cold__read"],
];

for (const [why, name] of refused) {
  test(`${why} is refused like a tool that does not exist, byte for byte`, async () => {
    const worker = startWorkerInMemory();
    const runner = await worker.runner({ tools: ["notes__read", "notes__write", "git__log"] });
    const client = await worker.client("notes__re*");
    const [unknown, answer] = [
      await callTool(client, "zzz__unknown"),
      await callTool(client, name),
    ];
    const session = await openSession(client);
    const legacy = await inSession(session, "tools/call", { name });
    const expected = (await unknown.text()).replace("zzz__unknown", () => name);
    for (const each of [answer, legacy]) {
      assert.equal(each.status, unknown.status);
      assert.deepEqual([...each.headers], [...unknown.headers]);
      assert.equal(await each.text(), expected);
    }
    assert.deepEqual(runner.all("call"), [], "nothing reaches the runner");
  });
}

test("a refusal says that the tool did not run", async () => {
  const worker = startWorkerInMemory();
  const text = await (await callTool(await worker.client(), "nobody__has")).text();
  assert.equal(
    text,
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: nobody__has",' +
      '"data":{"code":"unknown_tool"}}}',
  );
});

test("a name of a million characters is refused, whatever the grant", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client(
    ...Array.from({ length: 20 }, () => "*a*a*a*a*a*a*a*a*a*a*a*a*b"),
  );
  const name = "a".repeat(1_000_000);
  const session = await openSession(client);
  const response = await inSession(session, "tools/call", { name });
  assert.ok((await response.text()).length < 400, "and not repeated in full");
});

test("what the name header says grants nothing: the body decides", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read", "notes__write"] });
  const client = await worker.client("notes__read");
  const response = await modern(client, "tools/call", { name: "notes__write" }, {
    headers: { "mcp-name": "notes__read" },
  });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /-32020/);
  assert.deepEqual(runner.all("call"), []);
});
