import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import {
  callOf,
  GOOD_CALL,
  type HostileBench,
  startHostileBench,
} from "../support/hostile-bench.ts";
import type { RawAnswer, RawHeaders } from "../support/raw-http.ts";
import type { Runtime } from "../support/worker.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno run", "workerd"];
const MIB = 1024 * 1024;

/** A body, what else is unusual of its request, and the refusal. */
interface Refusal {
  readonly what: string;
  readonly body?: string | Uint8Array;
  readonly headers?: RawHeaders;
  readonly status: number;
  readonly code: number;
  /** Members that `error.data` has. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The code of the JSON-RPC error that an answer is. */
function errorOf({ body }: RawAnswer): { id?: unknown; code: number; data: object } {
  const { id, error } = JSON.parse(body) as { id?: unknown; error: { code: number; data: object } };
  return { ...(id !== undefined && { id }), ...error };
}

/** The good call with another JSON text for a member of the message. */
function withMember(member: "id" | "jsonrpc" | "method", text: string): string {
  return GOOD_CALL.replace(new RegExp(`"${member}":("[^"]*"|\\d+)`), () => `"${member}":${text}`);
}

/** The good call whose arguments are this JSON text. */
function withArguments(text: string): string {
  return callOf({ name: "probe__echo", arguments: 0 }).replace(
    '"arguments":0',
    () => `"arguments":${text}`,
  );
}

/** The good call with these bytes inside one of its strings. */
function withBytes(...bytes: readonly number[]): Uint8Array {
  const [head = "", tail = ""] = GOOD_CALL.split("hostile");
  return Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)]);
}

function nested(depth: number): string {
  return withArguments(`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`);
}

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const EMPTY_BOMB = Buffer.alloc(50 * MIB, 0x20);

/** Headers of a request of 2025-11-25 in the session `id`. */
const inSession = (id: string | undefined): RawHeaders => ({
  "MCP-Protocol-Version": "2025-11-25",
  "Mcp-Session-Id": id,
  "Mcp-Method": undefined,
  "Mcp-Name": undefined,
});

const bodies: readonly Refusal[] = [
  { what: "a truncated message", body: GOOD_CALL.slice(0, -1), status: 400, code: -32700 },
  { what: "no JSON at all", body: "hello", status: 400, code: -32700 },
  { what: "two messages", body: `${GOOD_CALL}${GOOD_CALL}`, status: 400, code: -32700 },
  { what: "no body", body: "", status: 400, code: -32700 },
  { what: "white space", body: " \r\n\t ", status: 400, code: -32700 },
  { what: "a batch", body: `[${GOOD_CALL}]`, status: 400, code: -32600 },
  { what: "an empty batch", body: "[]", status: 400, code: -32600 },
  {
    what: "a batch of 10,000 calls",
    body: `[${Array.from({ length: 10_000 }, () => GOOD_CALL).join(",")}]`,
    status: 400,
    code: -32600,
  },
  ...["null", "true", "0", "-1.5e9", '"tools/call"'].map((body) => ({
    what: `the scalar ${body}`,
    body,
    status: 400,
    code: -32600,
  })),
  ...["null", "1.5", "{}", "[]", "true", "9007199254740993", "1e400", `"${"x".repeat(10_240)}"`]
    .map(
      (id) => ({
        what: `the id ${id.slice(0, 20)}`,
        body: withMember("id", id),
        status: 400,
        code: -32600,
      }),
    ),
  { what: "JSON-RPC 1.0", body: withMember("jsonrpc", '"1.0"'), status: 400, code: -32600 },
  {
    what: "JSON-RPC 2.0 as a number",
    body: withMember("jsonrpc", "2.0"),
    status: 400,
    code: -32600,
  },
  {
    what: "no method",
    body: GOOD_CALL.replace('"method":"tools/call",', ""),
    status: 400,
    code: -32600,
  },
  {
    what: "a method that is no string",
    body: withMember("method", "1"),
    status: 400,
    code: -32600,
  },
  {
    what: "a response that nobody asked for",
    body: '{"jsonrpc":"2.0","id":1,"result":{}}',
    status: 400,
    code: -32600,
  },
  {
    what: "an unknown method",
    body: withMember("method", '"no/such"'),
    headers: { "Mcp-Method": "no/such" },
    status: 404,
    code: -32601,
  },
  {
    what: "a method of Object.prototype",
    body: withMember("method", '"constructor"'),
    headers: { "Mcp-Method": "constructor" },
    status: 404,
    code: -32601,
  },
  ...[65, 100_000, 1_000_000].map((depth) => ({
    what: `nesting of ${depth}`,
    body: nested(depth),
    status: 400,
    code: -32600,
    data: { code: "too_deep" },
  })),
  {
    what: "a million objects in each other",
    body: withArguments('{"a":'.repeat(500_000)),
    status: 400,
    code: -32600,
    data: { code: "too_deep" },
  },
  {
    what: "a member that occurs twice",
    body: GOOD_CALL.replace('"name":', '"name":"probe__secret","name":'),
    status: 400,
    code: -32600,
  },
  {
    what: "bytes that are not UTF-8",
    body: withBytes(0xc3, 0x28),
    status: 400,
    code: -32700,
  },
  { what: "an overlong slash", body: withBytes(0xc0, 0xaf), status: 400, code: -32700 },
  {
    what: "the bytes of half a surrogate pair",
    body: withBytes(0xed, 0xa0, 0x80),
    status: 400,
    code: -32700,
  },
  { what: "a NUL in a string", body: withBytes(0), status: 400, code: -32700 },
  { what: "a NUL after the message", body: `${GOOD_CALL}\0`, status: 400, code: -32700 },
  { what: "a byte order mark", body: `\ufeff${GOOD_CALL}`, status: 400, code: -32700 },
  { what: "UTF-16", body: Buffer.from(GOOD_CALL, "utf16le"), status: 400, code: -32700 },
  { what: "gzip that does not say so", body: gzipSync(GOOD_CALL), status: 400, code: -32700 },
  ...["text/plain", undefined, "multipart/form-data; boundary=x", "application/json;charset=utf-16"]
    .map((type) => ({
      what: `the content type ${type}`,
      headers: { "Content-Type": type },
      status: 415,
      code: -32600,
    })),
  ...(["gzip", "br"] as const).map((coding) => ({
    what: `a ${coding} bomb of 50 MiB`,
    headers: { "Content-Encoding": coding },
    body: coding === "gzip" ? gzipSync(EMPTY_BOMB) : brotliCompressSync(EMPTY_BOMB),
    status: 415,
    code: -32600,
  })),
];

const headers: readonly Refusal[] = [
  ...["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"].map((name) => ({
    what: `no ${name}`,
    headers: { [name]: undefined },
    status: 400,
    code: -32020,
  })),
  {
    what: "another method in Mcp-Method",
    headers: { "Mcp-Method": "tools/list" },
    status: 400,
    code: -32020,
  },
  {
    what: "Mcp-Method in capitals",
    headers: { "Mcp-Method": "Tools/Call" },
    status: 400,
    code: -32020,
  },
  {
    what: "an older MCP-Protocol-Version",
    headers: { "MCP-Protocol-Version": "2025-11-25" },
    status: 400,
    code: -32020,
  },
  {
    what: "an unknown MCP-Protocol-Version",
    headers: { "MCP-Protocol-Version": "2099-01-01" },
    status: 400,
    code: -32020,
  },
  {
    what: "the same Mcp-Name twice",
    headers: { "Mcp-Name": ["probe__echo", "probe__echo"] },
    status: 400,
    code: -32020,
  },
  ...[["probe__echo", "probe__secret"], ["probe__secret", "probe__echo"]].map((names) => ({
    what: `Mcp-Name: ${names.join(" and then ")}`,
    headers: { "Mcp-Name": names },
    status: 400,
    code: -32020,
  })),
  // The name, in Base64 that a forgiving decoder accepts.
  ...["cHJvYmVfX2VjaG8", "cHJv!!!YmVfX2VjaG8=", "cHJv YmVfX2VjaG8=", "cHJvYmVfX2VjaG9", "_-__"].map(
    (text) => ({
      what: `Mcp-Name: =?base64?${text}?=`,
      headers: { "Mcp-Name": `=?base64?${text}?=` },
      status: 400,
      code: -32020,
    }),
  ),
  {
    what: "Base64 of bytes that are not UTF-8 in Mcp-Name",
    headers: { "Mcp-Name": "=?base64?wyg=?=" },
    status: 400,
    code: -32020,
  },
  {
    what: "a version that is unknown in header and body",
    body: GOOD_CALL.replace("2026-07-28", "2099-01-01"),
    headers: { "MCP-Protocol-Version": "2099-01-01" },
    status: 400,
    code: -32022,
    data: { supported: ["2026-07-28"], requested: "2099-01-01" },
  },
  {
    what: "no capabilities in _meta",
    body: GOOD_CALL.replace(',"io.modelcontextprotocol/clientCapabilities":{}', ""),
    status: 400,
    code: -32602,
  },
  {
    what: "capabilities that are no object",
    body: GOOD_CALL.replace('clientCapabilities":{}', 'clientCapabilities":[]'),
    status: 400,
    code: -32602,
  },
  {
    what: "no _meta behind a header of 2026-07-28",
    body: GOOD_CALL.replace(/"_meta":\{.*?\}\},/, ""),
    status: 400,
    code: -32602,
  },
];

for (const runtime of RUNTIMES) {
  describe(`hostile messages at the built worker on ${runtime}`, () => {
    let bench: HostileBench;
    before(async () => void (bench = await startHostileBench(runtime)));
    after(() => bench[Symbol.asyncDispose]());

    for (const { what, status, code, data, ...request } of [...bodies, ...headers]) {
      test(`${what} is refused with ${status} and ${code}, and runs nothing`, async () => {
        const answer = await bench.send(request);
        assert.equal(answer.status, status, answer.body);
        assert.equal(answer.headers.get("content-type"), "application/json");
        const error = errorOf(answer);
        assert.equal(error.code, code);
        assert.deepEqual({ ...error.data, ...data }, error.data);
        // Only an id that could be read may be repeated.
        assert.ok(error.id === undefined || error.id === 1, answer.body);
        bench.nothingElseRan();
      });
    }

    test("an allowed Mcp-Name does not cover a denied tool, and the attempt is logged", async () => {
      const answer = await bench.send({ body: callOf({ name: "probe__secret" }) });
      assert.deepEqual([answer.status, errorOf(answer).code, errorOf(answer).id], [400, -32020, 1]);
      bench.nothingElseRan();
      const [line] = await bench.worker.printed(/^.*headers differ from its body.*$/m);
      assert.match(line, /"client":"[^"]+"/);
    });

    test("a denied tool with headers that agree is one that does not exist", async () => {
      const ask = (name: string) =>
        bench.send({ body: callOf({ name }), headers: { "Mcp-Name": name } });
      const [denied, missing] = await Promise.all([ask("probe__secret"), ask("probe__nothin")]);
      assert.deepEqual([denied.status, errorOf(denied).code], [200, -32602]);
      assert.equal(denied.body.replaceAll("probe__secret", "probe__nothin"), missing.body);
      bench.nothingElseRan();
    });

    test("a session id that is forged, tampered or cut off is answered with 404", async () => {
      const opened = await bench.send({
        headers: { ...inSession(undefined), "MCP-Protocol-Version": undefined },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "initialize",
          params: {
            protocolVersion: "2025-11-25",
            capabilities: {},
            clientInfo: { name: "t", version: "1" },
          },
        }),
      });
      const genuine = opened.headers.get("mcp-session-id") ?? "";
      const ask = async (id: string) =>
        (await bench.send({ body: PING, headers: inSession(id) })).status;
      assert.equal(await ask(genuine), 200);
      const middle = Math.floor(genuine.length / 2);
      const other = genuine[middle] === "A" ? "B" : "A";
      const forged = [
        `${genuine.slice(0, middle)}${other}${genuine.slice(middle + 1)}`,
        `${genuine}A`,
        genuine.slice(0, -4),
        genuine.split(".")[0] ?? "",
        `${genuine}, ${genuine}`,
        "1",
        "../../etc/passwd",
        "x".repeat(4_000),
      ];
      for (const id of forged) assert.equal(await ask(id), 404, id);
      assert.equal(await ask(genuine), 200);
    });

    test("__proto__ and constructor are data: they reach the server, and change nothing", async () => {
      const hostile = '{"__proto__":{"polluted":1,"status":200,"code":0},"constructor":' +
        '{"prototype":{"polluted":1}},"a":{"__proto__":null}}';
      const body = withArguments(hostile)
        .replace('"_meta":{', () => `"__proto__":${hostile},"_meta":{"__proto__":${hostile},`)
        .replace('clientCapabilities":{}', () => `clientCapabilities":${hostile}`)
        .replace('"id":1', () => `"__proto__":${hostile},"id":1`);
      const before = bench.runner.calls.length;
      const answer = await bench.send({ body });
      assert.equal(answer.status, 200, answer.body);
      const call = bench.runner.calls.slice(before).find(({ params }) =>
        params.includes("polluted")
      );
      assert.ok(call?.params.includes(`"arguments":${hostile}`), "byte for byte");
      await bench.control();
      const last = bench.runner.calls.at(-1);
      assert.deepEqual(last?.header.clientCapabilities, {});
      assert.ok(!JSON.stringify(last).includes("polluted"));
      const refused = await bench.send({ body: "[]" });
      assert.deepEqual([refused.status, refused.body.includes("polluted")], [400, false]);
    });

    test("a good name in Base64 and half a surrogate pair as an escape are no attack", async () => {
      const name = `=?base64?${btoa("probe__echo")}?=`;
      const body = withArguments('{"half":"\\ud800"}');
      const answer = await bench.send({ body, headers: { "Mcp-Name": name } });
      assert.equal(answer.status, 200, answer.body);
      assert.ok(bench.runner.calls.some(({ params }) => params.includes('"\\ud800"')));
    });

    test("nothing of all this was an internal error, and no token is in the log", () => {
      const log = bench.worker.output();
      assert.doesNotMatch(log, /failed inside the worker|mcpr_(?:client|tunnel)_/);
    });
  });
}
