import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../../runner/server/peer.ts";
import { listTools } from "../../runner/server/tool-list.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { type Behaviour, Pipe, tool } from "../support/pipe.ts";

/** A peer whose server answers each page with what `page` says of its cursor. */
function paged(page: (cursor: unknown, n: number) => string): { peer: Peer; pipe: Pipe } {
  let n = 0;
  const behave: Behaviour = ({ id, params }, pipe) =>
    pipe.say(`{"jsonrpc":"2.0","id":${id},"result":${page(params?.["cursor"], ++n)}}`);
  const pipe = new Pipe(behave);
  return { pipe, peer: new Peer(pipe, { server: "probe", notified: () => {} }) };
}

const names = (tools: readonly { readonly name: string }[]) => tools.map(({ name }) => name);

test("listTools() reads every page, with the cursor as the server wrote it", async () => {
  const { peer, pipe } = paged((cursor) =>
    cursor === undefined
      ? `{"tools":[${JSON.stringify(tool("a"))}],"nextCursor":"p\\u00322 \\"x\\""}`
      : cursor === 'p22 "x"'
      ? `{"tools":[${JSON.stringify(tool("b"))}],"nextCursor":null}`
      : "{}"
  );
  assert.deepEqual(names((await listTools(peer)).tools), ["a", "b"]);
  assert.equal(pipe.lines.length, 2);
});

test("listTools() keeps each tool's text byte for byte, in the server's order", async () => {
  const raw = [
    '{ "name":"z", "inputSchema":{"type":"object"}, "n":1.0 }',
    '{"inputSchema":{},"name":"a"}',
  ];
  const { peer } = paged(() => `{"tools":[ ${raw.join(" , ")} ]}`);
  const { tools, broken } = await listTools(peer);
  assert.deepEqual(tools.map((each) => each.raw), raw);
  assert.equal(broken, 0);
});

const broken: Array<[why: string, entry: string]> = [
  ["no name", '{"inputSchema":{}}'],
  ["an empty name", '{"name":"","inputSchema":{}}'],
  ["a name that is no text", '{"name":7,"inputSchema":{}}'],
  ["no schema", '{"name":"x"}'],
  ["a schema that is no object", '{"name":"x","inputSchema":[]}'],
  ["the name of an earlier one", '{"name":"good","inputSchema":{"second":1}}'],
  ["a repeated key", '{"name":"x","name":"y","inputSchema":{}}'],
  [
    "nesting beyond all reason",
    `{"name":"x","inputSchema":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`,
  ],
  ["no object around it", '"x"'],
  ["null around it", "null"],
];

for (const [why, entry] of broken) {
  test(`listTools() leaves out a tool with ${why}, and only that`, async () => {
    const good = JSON.stringify(tool("good"));
    const { peer } = paged(() => `{"tools":[${good},${entry},${JSON.stringify(tool("last"))}]}`);
    const list = await listTools(peer);
    assert.deepEqual(names(list.tools), ["good", "last"]);
    assert.equal(list.tools[0]?.raw, good);
    assert.equal(list.broken, 1);
  });
}

test("listTools() does not look into a schema: that is the client's to judge", async () => {
  const { peer } = paged(() => '{"tools":[{"name":"x","inputSchema":{"a":1,"a":[[[]]]}}]}');
  assert.deepEqual(names((await listTools(peer)).tools), ["x"]);
});

const loops: Array<[why: string, next: (n: number) => string]> = [
  ["gives out the same cursor for ever", () => '"again"'],
  ["gives out two cursors in turn", (n) => `"${n % 2}"`],
  ["gives out new cursors for ever", (n) => `"${n}"`],
  ["gives out empty cursors", () => '""'],
];

for (const [why, next] of loops) {
  test(`listTools() ends with a server that ${why}`, async () => {
    const { peer, pipe } = paged((_, n) =>
      `{"tools":[${JSON.stringify(tool(`t${n}`))}],"nextCursor":${next(n)}}`
    );
    const { tools } = await listTools(peer);
    assert.equal(tools[0]?.name, "t1");
    assert.ok(pipe.lines.length <= 100, `${pipe.lines.length} pages`);
  });
}

for (const cursor of ["7", "{}", "[]", "true", "false"]) {
  test(`listTools() takes ${cursor} for the end of the list: a cursor is text`, async () => {
    const { peer, pipe } = paged(() => `{"tools":[],"nextCursor":${cursor}}`);
    await listTools(peer);
    assert.equal(pipe.lines.length, 1);
  });
}

for (const result of ["{}", '{"tools":null}', '{"tools":{}}', '{"tools":"none"}']) {
  test(`listTools() reads ${result} as no tools`, async () => {
    assert.deepEqual(await listTools(paged(() => result).peer), { tools: [], broken: 0 });
  });
}

test("listTools() keeps no more text of a server than a tunnel can carry", async () => {
  const text = "x".repeat(MAX_PAYLOAD_LENGTH / 4);
  const { peer } = paged((_, n) =>
    `{"tools":[{"name":"t${n}","inputSchema":{},"description":"${text}"}],"nextCursor":"${n}"}`
  );
  const { tools, broken } = await listTools(peer);
  assert.deepEqual(names(tools), ["t1", "t2", "t3"]);
  assert.ok(broken > 0);
});

test("listTools() fails over a flood of entries instead of keeping them all", async () => {
  const { peer } = paged(() => `{"tools":[${"0,".repeat(200_000)}0]}`);
  await assert.rejects(listTools(peer), {
    code: "server_failed",
    message: 'Cannot use server "probe": its list of tools cannot be read',
  });
});

test("listTools() fails with the server's own error", async () => {
  const pipe = new Pipe(({ id }, at) =>
    at.say({ id, error: { code: -32601, message: "no such" } })
  );
  const peer = new Peer(pipe, { server: "probe", notified: () => {} });
  await assert.rejects(listTools(peer), {
    code: "server_failed",
    message:
      'Cannot use server "probe": it answered tools/list with {"code":-32601,"message":"no such"}',
  });
});
