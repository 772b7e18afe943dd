import assert from "node:assert/strict";
import { test } from "node:test";
import {
  callTool,
  type Client,
  inSession,
  type Message,
  messageOf,
  mirrored,
  modern,
  MODERN_META,
  openSession,
  post,
  startWorkerInMemory,
} from "../support/home.ts";

const HEADERS = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
const META = JSON.stringify(MODERN_META);
const PARAMS = `"params":{"_meta":${META}}`;

/** A good request as text, with `id` as it is. */
const withId = (id: string) => `{"jsonrpc":"2.0","id":${id},"method":"tools/list",${PARAMS}}`;

const refused: ReadonlyArray<
  readonly [why: string, body: string | Uint8Array<ArrayBuffer>, status: number, code: number]
> = [
  ["an empty body", "", 400, -32700],
  ["white space alone", " \n", 400, -32700],
  ["text that is no JSON", "hello", 400, -32700],
  ["truncated JSON", withId("1").slice(0, -1), 400, -32700],
  ["two messages in one body", withId("1") + withId("2"), 400, -32700],
  ["JSON with a trailing comma", `{"jsonrpc":"2.0","id":1,"method":"ping",}`, 400, -32700],
  ["a byte order mark", `\ufeff${withId("1")}`, 400, -32700],
  ["a NUL", withId('"\u0000"'), 400, -32700],
  ["bytes that are not UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, -32700],
  [
    "an encoded half of a surrogate pair",
    new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]),
    400,
    -32700,
  ],
  ["an overlong encoding", new Uint8Array([0x22, 0xc0, 0xaf, 0x22]), 400, -32700],
  ["UTF-16", new Uint8Array([0xff, 0xfe, 0x7b, 0x00]), 400, -32700],
  ["an empty batch", "[]", 400, -32600],
  ["a batch of one", `[${withId("1")}]`, 400, -32600],
  [
    "a batch of 10,000",
    `[${Array.from({ length: 10_000 }, (_, n) => withId(`${n}`)).join()}]`,
    400,
    -32600,
  ],
  ["a list of 2,000,000 numbers", `[${"1,".repeat(1_999_999)}1]`, 400, -32600],
  ["a string", '"tools/list"', 400, -32600],
  ["a number", "42", 400, -32600],
  ["true", "true", 400, -32600],
  ["null", "null", 400, -32600],
  ["an empty object", "{}", 400, -32600],
  ["another JSON-RPC", withId("1").replace("2.0", "1.0"), 400, -32600],
  ["a JSON-RPC that is a number", withId("1").replace('"2.0"', "2.0"), 400, -32600],
  ["no JSON-RPC", withId("1").replace('"jsonrpc":"2.0",', ""), 400, -32600],
  ["no method", `{"jsonrpc":"2.0","id":1,${PARAMS}}`, 400, -32600],
  ["a method that is a number", `{"jsonrpc":"2.0","id":1,"method":7,${PARAMS}}`, 400, -32600],
  [
    "params that are a list",
    `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}`,
    400,
    -32600,
  ],
  [
    "params that are null",
    `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}`,
    400,
    -32600,
  ],
  ["a posted response", `{"jsonrpc":"2.0","id":1,"result":{}}`, 400, -32600],
  ["a posted error", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}`, 400, -32600],
  ["a repeated method", withId(`1,"method":"tools/call"`), 400, -32600],
  ["a method repeated in another spelling", withId(`1,"m\\u0065thod":"tools/call"`), 400, -32600],
  [
    "a repeated member of params",
    withId("1").replace('"_meta"', `"_meta":{},"_meta"`),
    400,
    -32600,
  ],
  ["65 levels", withId("1").replace("{}", `{"a":${"[".repeat(61)}${"]".repeat(61)}}`), 400, -32600],
  ["100,000 levels", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`, 400, -32600],
  ["1,000,000 levels", "[".repeat(1_000_000), 400, -32600],
  ["300,000 params", withId("1").replace("{", `{${filler(300_000)}`), 400, -32600],
  ...["null", "1.5", "{}", "[]", "true", "9007199254740993", "1e400", "-9007199254740992"].map((
    id,
  ) => [`the id ${id}`, withId(id), 400, -32600] as const),
  ["an id of 10 KB", withId(`"${"x".repeat(10_240)}"`), 400, -32600],
];

function filler(count: number): string {
  return Array.from({ length: count }, (_, n) => `"k${n}":1,`).join("");
}

for (const [why, body, status, code] of refused) {
  test(`${why} is answered ${status} and ${code}`, async () => {
    const worker = startWorkerInMemory();
    const response = await post(await worker.client(), body, { headers: HEADERS });
    assert.equal(response.status, status);
    const { error, ...rest } = await messageOf(response) as Required<Message>;
    assert.equal(error.code, code, error.message);
    assert.deepEqual(Object.keys(rest).filter((key) => key !== "id"), ["jsonrpc"]);
    assert.doesNotMatch(
      JSON.stringify(error),
      /\.ts|node:|Error:|\s\/\w+\//,
      "tells nothing of the inside",
    );
    assert.deepEqual(worker.logged, [], "is no fault of the worker");
  });
}

const echoed = [
  "0",
  "-1",
  "7",
  "9007199254740991",
  "1e2",
  '""',
  '"a"',
  '"\\u0041\\n"',
  '"\\ud800"',
  `"${"x".repeat(254)}"`,
];

for (const id of echoed) {
  test(`the id ${id.slice(0, 20)} comes back as it was written`, async () => {
    const client = await startWorkerInMemory().client();
    const text = await (await post(client, withId(id), { headers: HEADERS })).text();
    assert.ok(text.startsWith(`{"jsonrpc":"2.0","id":${id},"result":`), text.slice(0, 99));
  });
}

test("64 levels are served", async () => {
  const client = await startWorkerInMemory().client();
  const deep = withId("1").replace("{}", `{"a":${"[".repeat(60)}${"]".repeat(60)}}`);
  const response = await post(client, deep, { headers: HEADERS });
  assert.equal((await messageOf(response)).error, undefined);
});

test("a notification of 2026-07-28 is accepted with 202 and nothing else", async () => {
  const client = await startWorkerInMemory().client();
  for (const params of ["", `,${PARAMS}`]) {
    const body = `{"jsonrpc":"2.0","method":"notifications/whatever"${params}}`;
    const headers = { "mcp-protocol-version": "2026-07-28" };
    const response = await post(client, body, { headers });
    assert.equal(response.status, 202);
    assert.equal(await response.text(), "");
  }
});

test("a notification of a version that is not served is refused", async () => {
  const client = await startWorkerInMemory().client();
  const headers = { "mcp-protocol-version": "2099-01-01" };
  const body = `{"jsonrpc":"2.0","method":"notifications/whatever"}`;
  const response = await post(client, body, { headers });
  assert.equal(response.status, 400);
  const message = await messageOf(response);
  assert.equal(message.error?.code, -32022);
  assert.equal("id" in message, false);
});

test("session ids and event ids of a modern request are ignored, and none is given out", async () => {
  const client = await startWorkerInMemory().client();
  const headers = { "mcp-session-id": "forged.x", "last-event-id": "1" };
  const response = await modern(client, "tools/list", {}, { headers });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("mcp-session-id"), null);
});

test("client capabilities too long for a frame are refused, and the tunnel stays open", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client();
  const capabilities: readonly unknown[] = [
    { a: "x".repeat(70_000) },
    { a: Array.from({ length: 10_000 }, () => 1e20) },
  ];
  for (const each of capabilities) {
    const response = await callWith(
      client,
      JSON.stringify(each).replaceAll("100000000000000000000", "1e20"),
    );
    assert.equal(response.status, 400);
    assert.equal((await messageOf(response)).error?.code, -32602);
  }
  assert.equal((await callWith(client, `{},"x":"${"x".repeat(300_000)}"`)).status, 400);
  assert.deepEqual(runner.all("call"), []);
});

/** Calls a tool with the JSON text of its client capabilities. */
function callWith(client: Client, capabilities: string): Promise<Response> {
  const meta = META.replace("{}", capabilities);
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call",` +
    `"params":{"name":"notes__read","_meta":${meta}}}`;
  return post(client, body, {
    headers: { ...HEADERS, "mcp-method": "tools/call", "mcp-name": "notes__read" },
  });
}

test("keys that are special to JavaScript pass through and pollute nothing", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client();
  const params =
    `{"name":"notes__read","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},` +
    `"arguments":{"__proto__":{"polluted":1},"a":1,"a":2,"s":"\\ud800"},` +
    `"_meta":{"__proto__":{"polluted":1},${
      META.slice(1).replace("{}", '{"__proto__":{"polluted":1}}')
    }}`;
  const answer = post(client, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`, {
    headers: { ...HEADERS, "mcp-method": "tools/call", "mcp-name": "notes__read" },
  });
  const { header, payload } = await runner.next("call");
  assert.equal(payload, params, "the runner gets the params byte for byte");
  assert.deepEqual(Object.keys(header.clientCapabilities), []);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
  assert.equal((header.clientCapabilities as { polluted?: number }).polluted, undefined);
  runner.say({ type: "result", id: header.id }, '{"__proto__":{"polluted":1}}');
  assert.equal(
    await (await answer).text(),
    '{"jsonrpc":"2.0","id":1,"result":{"__proto__":{"polluted":1}}}',
  );
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test("a base64 sentinel names any tool", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__lire-été"] });
  const name = "notes__lire-été";
  assert.match(mirrored(name), /^=\?base64\?.+\?=$/);
  const answer = callTool(await worker.client(), name);
  const { header, payload } = await runner.next("call");
  assert.equal((JSON.parse(payload) as { name: string }).name, name);
  runner.say({ type: "result", id: header.id }, "{}");
  assert.equal((await answer).status, 200);
});

test("a claim of the session's own version belongs to the session", async () => {
  const session = await openSession(await startWorkerInMemory().client());
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2025-11-25" };
  const response = await inSession(session, "ping", { _meta });
  assert.deepEqual((await messageOf(response)).result, {});
});
