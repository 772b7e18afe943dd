import assert from "node:assert/strict";
import { test } from "node:test";
import { type Message, messageOf, mirrored, post, startWorkerInMemory } from "../support/home.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";

/** What a case changes of a good `tools/call` of 2026-07-28. */
interface Changes {
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly meta?: Record<string, unknown> | null;
  readonly headers?: Record<string, string | undefined>;
}

async function answerTo({ method = "tools/call", params, meta, headers }: Changes) {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  const body = {
    jsonrpc: "2.0",
    id: "ü-1",
    method,
    params: {
      name: "notes__read",
      ...params,
      ...(meta !== null && { _meta: { [VERSION]: "2026-07-28", [CAPABILITIES]: {}, ...meta } }),
    },
  };
  void runner.next("call").then(({ header: { id } }) => runner.say({ type: "result", id }, "{}"));
  const response = await post(await worker.client(), JSON.stringify(body), {
    headers: {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      "mcp-name": "notes__read",
      ...headers,
    },
  });
  return { response, message: await messageOf(response), calls: runner.all("call") };
}

const HTTP_VERSION = "mcp-protocol-version";
const OLD = { [HTTP_VERSION]: "2025-11-25" };
const FUTURE = { [HTTP_VERSION]: "2099-01-01" };

const refused: ReadonlyArray<
  readonly [why: string, changes: Changes, status: number, code: number]
> = [
  ["a version in the header alone", { meta: null }, 400, -32602],
  [
    "a version in the header and a _meta without one",
    {
      meta: { [VERSION]: undefined },
    },
    400,
    -32602,
  ],
  [
    "an initialize with a modern header and no claim",
    {
      method: "initialize",
      meta: null,
      params: { protocolVersion: "2025-11-25" },
    },
    400,
    -32602,
  ],
  ["no client capabilities", { meta: { [CAPABILITIES]: undefined } }, 400, -32602],
  ["client capabilities that are a list", { meta: { [CAPABILITIES]: [] } }, 400, -32602],
  ["client capabilities that are null", { meta: { [CAPABILITIES]: null } }, 400, -32602],
  ["a version that is a number", { meta: { [VERSION]: 20260728 } }, 400, -32602],
  ["a version that is null", { meta: { [VERSION]: null } }, 400, -32602],
  ["an unknown log level", { meta: { [LOG_LEVEL]: "loud" } }, 400, -32602],
  ["another version in the header", { headers: OLD }, 400, -32020],
  [
    "two versions in the header",
    {
      headers: { [HTTP_VERSION]: "2026-07-28, 2026-07-28" },
    },
    400,
    -32020,
  ],
  [
    "another version in the header than an unknown one in the body",
    {
      meta: { [VERSION]: "2099-01-01" },
    },
    400,
    -32020,
  ],
  [
    "an unknown version in both",
    { meta: { [VERSION]: "2099-01-01" }, headers: FUTURE },
    400,
    -32022,
  ],
  [
    "an unknown version and no version header",
    {
      meta: { [VERSION]: "2099-01-01" },
      headers: { [HTTP_VERSION]: undefined },
    },
    400,
    -32022,
  ],
  [
    "an unknown version and no method header",
    {
      meta: { [VERSION]: "2099-01-01" },
      headers: { ...FUTURE, "mcp-method": undefined },
    },
    400,
    -32022,
  ],
  [
    "a legacy version without a session",
    { meta: { [VERSION]: "2025-11-25" }, headers: OLD },
    400,
    -32022,
  ],
  [
    "a version that is empty",
    { meta: { [VERSION]: "" }, headers: { [HTTP_VERSION]: "" } },
    400,
    -32022,
  ],
  ["no version header", { headers: { [HTTP_VERSION]: undefined } }, 400, -32020],
  ["no method header", { headers: { "mcp-method": undefined } }, 400, -32020],
  ["another method in the header", { headers: { "mcp-method": "tools/list" } }, 400, -32020],
  ["the method in another case", { headers: { "mcp-method": "Tools/Call" } }, 400, -32020],
  ["two method headers", { headers: { "mcp-method": "tools/call, tools/call" } }, 400, -32020],
  ["no name header", { headers: { "mcp-name": undefined } }, 400, -32020],
  ["another name in the header", { headers: { "mcp-name": "notes__list" } }, 400, -32020],
  ["the name in another case", { headers: { "mcp-name": "Notes__read" } }, 400, -32020],
  ["two name headers", { headers: { "mcp-name": "notes__read, notes__read" } }, 400, -32020],
  [
    "a name header with raw bytes beyond ASCII",
    { headers: { "mcp-name": "notes__r\u00e9ad" } },
    400,
    -32020,
  ],
  [
    "a sentinel without padding",
    { headers: { "mcp-name": "=?base64?bm90ZXNfX3JlYWQ?=" } },
    400,
    -32020,
  ],
  [
    "a sentinel with foreign characters",
    { headers: { "mcp-name": "=?base64?bm90ZXN!!!fX3JlYWQ=?=" } },
    400,
    -32020,
  ],
  [
    "a sentinel of something else",
    { headers: { "mcp-name": "=?base64?bm90ZXNfX2xpc3Q=?=" } },
    400,
    -32020,
  ],
  [
    "an uppercase sentinel, which is a literal",
    { headers: { "mcp-name": "=?BASE64?bm90ZXNfX3JlYWQ=?=" } },
    400,
    -32020,
  ],
  [
    "a task method without its name header",
    {
      method: "tasks/get",
      params: { taskId: "t-1" },
      headers: { "mcp-name": undefined },
    },
    400,
    -32020,
  ],
  ["an unknown method", { method: "tools/frobnicate" }, 404, -32601],
  [
    "an unknown method and the wrong method header",
    {
      method: "tools/frobnicate",
      headers: { "mcp-method": "tools/call" },
    },
    400,
    -32020,
  ],
  ["an empty method", { method: "" }, 404, -32601],
  ["a method that is a key of every object", { method: "constructor" }, 404, -32601],
  ...[
    "initialize",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/list",
    "tasks/result",
  ].map((method) => [`the removed method ${method}`, { method }, 404, -32601] as const),
  [
    "more parameter headers than are read",
    {
      headers: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`mcp-param-${n}`, "x"])),
    },
    400,
    -32020,
  ],
  [
    "a resource without its name header",
    {
      method: "resources/read",
      params: { uri: "notes://today" },
      headers: { "mcp-name": undefined },
    },
    400,
    -32020,
  ],
  [
    "a prompt with another name in the header",
    {
      method: "prompts/get",
      headers: { "mcp-name": "notes__other" },
    },
    400,
    -32020,
  ],
  ["a call without a tool", { params: { name: undefined } }, 200, -32602],
  ["a call whose tool is a number", { params: { name: 7 } }, 200, -32602],
  [
    "an unknown tool",
    {
      params: { name: "notes__drop" },
      headers: { "mcp-name": "notes__drop" },
    },
    200,
    -32602,
  ],
  [
    "a cursor that we did not give out",
    {
      method: "tools/list",
      params: { name: undefined, cursor: "1" },
    },
    200,
    -32602,
  ],
];

for (const [why, changes, status, code] of refused) {
  test(`2026-07-28: ${why} is answered ${status} and ${code}`, async () => {
    const { response, message, calls } = await answerTo(changes);
    assert.equal(response.status, status);
    assert.equal(message.error?.code, code, JSON.stringify(message));
    assert.equal(message.id, "ü-1");
    assert.deepEqual(calls, [], "nothing reaches the runner");
  });
}

test("an unsupported version is told which ones are served, and which it asked for", async () => {
  const { message } = await answerTo({ meta: { [VERSION]: "2099-01-01" }, headers: FUTURE });
  const { supported, requested } = (message as Required<Message>).error.data;
  assert.deepEqual(supported, ["2026-07-28"]);
  assert.equal(requested, "2099-01-01");
});

test("an unknown tool is told by its name, cut and printable", async () => {
  const cases = [["a\n\u202eb", "a??b"], ["x".repeat(5000), `${"x".repeat(128)}…`]] as const;
  for (const [name, shown] of cases) {
    const { message } = await answerTo({
      params: { name },
      headers: { "mcp-name": mirrored(name) },
    });
    assert.equal(message.error?.message, `Unknown tool: ${shown}`);
  }
});

test("2026-07-28: a response is refused, whatever it claims: nothing was asked", async () => {
  const client = await startWorkerInMemory().client();
  const claim = { [VERSION]: "2026-07-28", [CAPABILITIES]: {} };
  for (const params of [undefined, { _meta: claim }]) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, result: {}, params });
    const headers = { [HTTP_VERSION]: "2026-07-28", "mcp-method": "" };
    const response = await post(client, body, { headers });
    assert.equal(response.status, 400);
    assert.equal((await messageOf(response)).error?.code, -32600);
  }
});
