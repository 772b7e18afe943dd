import assert from "node:assert/strict";
import { test } from "node:test";
import { Peer } from "../../runner/server/peer.ts";
import { type List, MAX_ENTRIES, readList } from "../../runner/server/lists.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { type Behaviour, Pipe, tool, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";

/** A peer whose server answers each page with what `page` says of its cursor. */
function paged(page: (cursor: unknown, n: number) => string): { peer: Peer; pipe: Pipe } {
  let n = 0;
  const behave: Behaviour = ({ id, params }, pipe) =>
    pipe.say(`{"jsonrpc":"2.0","id":${id},"result":${page(params?.["cursor"], ++n)}}`);
  const pipe = new Pipe(behave);
  return { pipe, peer: new Peer(pipe, { server: "probe", notified: () => {} }) };
}

const names = ({ entries }: List) => entries.map(({ key }) => key);

test("readList() reads every page, with the cursor as the server wrote it", async () => {
  const { peer, pipe } = paged((cursor) =>
    cursor === undefined
      ? `{"tools":[${JSON.stringify(tool("a"))}],"nextCursor":"p\\u00322 \\"x\\""}`
      : cursor === 'p22 "x"'
      ? `{"tools":[${JSON.stringify(tool("b"))}],"nextCursor":null}`
      : "{}"
  );
  assert.deepEqual(names(await readList(peer, "tools")), ["a", "b"]);
  assert.equal(pipe.lines.length, 2);
});

test("readList() keeps each tool's text byte for byte, in the server's order", async () => {
  const raw = [
    '{ "name":"z", "inputSchema":{"type":"object"}, "n":1.0 }',
    '{"inputSchema":{},"name":"a"}',
  ];
  const { peer } = paged(() => `{"tools":[ ${raw.join(" , ")} ]}`);
  const { entries, broken } = await readList(peer, "tools");
  assert.deepEqual(entries.map((each) => each.raw), raw);
  assert.deepEqual(broken, []);
});

test("while readList() reads a long list, other work goes on", async () => {
  const tools = Array.from({ length: 2_000 }, (_, at) => JSON.stringify(tool(`t${at}`)));
  const { peer } = paged(() => `{"tools":[${tools.join()}]}`);
  let turns = 0;
  let reading = true;
  const count = () => {
    turns++;
    if (reading) setImmediate(count);
  };
  setImmediate(count);
  assert.equal((await readList(peer, "tools")).entries.length, 2_000);
  reading = false;
  assert.ok(turns >= 10);
});

const broken: Array<[why: string, entry: string, fault: { key: string; why: string }]> = [
  ["no name", '{"inputSchema":{}}', { key: "", why: "has no name" }],
  ["an empty name", '{"name":"","inputSchema":{}}', { key: "", why: "has no name" }],
  ["a name that is no text", '{"name":7,"inputSchema":{}}', { key: "", why: "has no name" }],
  [
    "an endless name",
    `{"name":"${"n".repeat(300)}","inputSchema":{}}`,
    { key: "n".repeat(256), why: "has a name of more than 256 characters" },
  ],
  ["no schema", '{"name":"x"}', { key: "x", why: "has no inputSchema" }],
  [
    "a schema that is no object",
    '{"name":"x","inputSchema":[]}',
    { key: "x", why: "has an inputSchema that is no object" },
  ],
  [
    "the name of an earlier one",
    '{"name":"good","inputSchema":{"second":1}}',
    { key: "good", why: "is listed twice" },
  ],
  [
    "a repeated key",
    '{"name":"x","name":"y","inputSchema":{}}',
    { key: "", why: "has a member twice" },
  ],
  [
    "nesting beyond all reason",
    `{"name":"x","inputSchema":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`,
    { key: "", why: "is nested too deep" },
  ],
  ["no object around it", '"x"', { key: "", why: "has no name" }],
  ["null around it", "null", { key: "", why: "has no name" }],
];

for (const [why, entry, fault] of broken) {
  test(`readList() leaves out a tool with ${why}, and only that`, async () => {
    const good = JSON.stringify(tool("good"));
    const { peer } = paged(() => `{"tools":[${good},${entry},${JSON.stringify(tool("last"))}]}`);
    const list = await readList(peer, "tools");
    assert.deepEqual(names(list), ["good", "last"]);
    assert.equal(list.entries[0]?.raw, good);
    assert.deepEqual(list.broken, [{ list: "tools", ...fault }]);
  });
}

test("readList() does not look into a schema: that is the client's to judge", async () => {
  const { peer } = paged(() => '{"tools":[{"name":"x","inputSchema":{"a":1,"a":[[[]]]}}]}');
  assert.deepEqual(names(await readList(peer, "tools")), ["x"]);
});

const loops: Array<[why: string, next: (n: number) => string]> = [
  ["gives out the same cursor for ever", () => '"again"'],
  ["gives out two cursors in turn", (n) => `"${n % 2}"`],
  ["gives out new cursors for ever", (n) => `"${n}"`],
  ["gives out empty cursors", () => '""'],
];

for (const [why, next] of loops) {
  test(`readList() ends with a server that ${why}`, async () => {
    const { peer, pipe } = paged((_, n) =>
      `{"tools":[${JSON.stringify(tool(`t${n}`))}],"nextCursor":${next(n)}}`
    );
    const { entries } = await readList(peer, "tools");
    assert.equal(entries[0]?.key, "t1");
    assert.ok(pipe.lines.length <= 100, `${pipe.lines.length} pages`);
  });
}

for (const cursor of ["7", "{}", "[]", "true", "false"]) {
  test(`readList() takes ${cursor} for the end of the list: a cursor is text`, async () => {
    const { peer, pipe } = paged(() => `{"tools":[],"nextCursor":${cursor}}`);
    await readList(peer, "tools");
    assert.equal(pipe.lines.length, 1);
  });
}

for (const result of ["{}", '{"tools":null}', '{"tools":{}}', '{"tools":"none"}']) {
  test(`readList() reads ${result} as no tools`, async () => {
    assert.deepEqual(await readList(paged(() => result).peer, "tools"), {
      entries: [],
      broken: [],
    });
  });
}

test("readList() keeps no more text of a server than a tunnel can carry", async () => {
  const text = "x".repeat(MAX_PAYLOAD_LENGTH / 4);
  const { peer } = paged((_, n) =>
    `{"tools":[{"name":"t${n}","inputSchema":{},"description":"${text}"}],"nextCursor":"${n}"}`
  );
  const list = await readList(peer, "tools");
  assert.deepEqual(names(list), ["t1", "t2", "t3"]);
  assert.equal(list.broken[0]?.why, "is too large");
});

test("readList() fails over a flood of entries instead of keeping them all", async () => {
  const { peer } = paged(() => `{"tools":[${"0,".repeat(200_000)}0]}`);
  await assert.rejects(readList(peer, "tools"), {
    code: "server_failed",
    message: 'Cannot use server "probe": its list of tools cannot be read',
  });
});

test("readList() fails with the server's own error", async () => {
  const pipe = new Pipe(({ id }, at) =>
    at.say({ id, error: { code: -32601, message: "no such" } })
  );
  const peer = new Peer(pipe, { server: "probe", notified: () => {} });
  await assert.rejects(readList(peer, "tools"), {
    code: "server_failed",
    message:
      'Cannot use server "probe": it answered tools/list with {"code":-32601,"message":"no such"}',
  });
});

/** A server with everything, or what `instead` does. */
function rich(
  instead: Readonly<Record<string, Behaviour>> = {},
  capabilities: object = { tools: {}, prompts: {}, resources: {} },
): Behaviour {
  const list = (member: string, ...entries: object[]): Behaviour => ({ id }, pipe) =>
    pipe.say({ id, result: { [member]: entries } });
  return wellBehaved(["t"], {
    initialize: ({ id }, pipe) =>
      pipe.say({
        id,
        result: {
          protocolVersion: "2025-11-25",
          capabilities,
          instructions: "Be kind",
        },
      }),
    "prompts/list": list("prompts", { name: "p" }),
    "resources/list": list("resources", { uri: "x://r", name: "r" }, { name: "no uri" }),
    "resources/templates/list": list("resourceTemplates", { uriTemplate: "x://{t}", name: "t" }),
    ...instead,
  });
}

test("all four lists of a server are known, with what it says of itself", async () => {
  const { server } = openServer({ behave: () => rich() });
  await server.start();
  const { lists } = server;
  assert.deepEqual(
    [lists?.tools, lists?.prompts, lists?.resources, lists?.resourceTemplates]
      .map((list) => list?.map(({ key }) => key)),
    [["t"], ["p"], ["x://r"], ["x://{t}"]],
  );
  assert.equal(lists?.prompts[0]?.raw, '{"name":"p"}');
  assert.deepEqual(lists?.broken, [{ list: "resources", key: "", why: "has no uri" }]);
  assert.deepEqual([lists?.reads, lists?.tasks, lists?.instructions], [true, false, "Be kind"]);
});

test("the lists are asked for at once, and only those that the server has", async () => {
  const { server, pipes } = openServer({ behave: () => rich({}, { prompts: {}, resources: {} }) });
  await server.start();
  assert.deepEqual(pipes[0]?.received().slice(2).map(({ method }) => method), [
    "prompts/list",
    "resources/list",
    "resources/templates/list",
  ]);
});

test("a list of prompts or resources that fails is told of and takes nothing else along", async () => {
  const failing: Behaviour = ({ id }, pipe) =>
    pipe.say({ id, error: { code: -32603, message: "disk full" } });
  const { server } = openServer({
    behave: () => rich({ "prompts/list": failing, "resources/templates/list": failing }),
  });
  await server.start();
  assert.deepEqual(server.lists?.resources.map(({ key }) => key), ["x://r"]);
  assert.deepEqual(server.lists?.broken.map(({ list }) => list), ["prompts", "resources"]);
  assert.match(server.lists?.broken[0]?.why ?? "", /disk full/);
});

test("readList() stops at two thousand tools, however they are paged, and tells it", async () => {
  const page = (from: number) =>
    JSON.stringify(Array.from({ length: 300 }, (_, n) => tool(`t${from + n}`)));
  const { peer, pipe } = paged((_, n) => `{"tools":${page(n * 300)},"nextCursor":"p${n}"}`);
  const { entries, broken } = await readList(peer, "tools");
  assert.equal(entries.length, MAX_ENTRIES.tools);
  assert.equal(pipe.lines.length, 7);
  assert.deepEqual(broken, [
    { list: "tools", key: "", why: "is one of more than 2000: the rest is left out" },
  ]);
});
