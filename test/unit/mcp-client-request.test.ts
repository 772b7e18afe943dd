import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { request } from "../../runner/client/mcp-client.ts";
import { mirroredValue } from "../../src/mcp/header.ts";
import { brokenBody, fakeFetch } from "../support/fake-fetch.ts";

const endpoint = { url: "https://worker.example/mcp", token: "mcpr_client_x" };

/** An answer of JSON text. */
function json(text: string, status = 200): Response {
  return new Response(text, { status, headers: { "content-type": "application/json" } });
}

/** An answer of server-sent events. */
function events(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
}

const DONE = '{"jsonrpc":"2.0","id":1,"result":{"ok":true}}';

test("request() sends what MCP 2026-07-28 wants of a request, and members as they are", async () => {
  using fetched = fakeFetch(() => json(DONE));
  await request(endpoint, "tools/call", { name: '"a__b"', arguments: '{ "n":1.0 }' });
  const [{ url, init } = { url: "", init: {} }] = fetched.requests;
  assert.equal(url, endpoint.url);
  assert.equal(init.method, "POST");
  const body = typeof init.body === "string" ? init.body : "";
  assert.deepEqual({ ...init.headers }, {
    authorization: "Bearer mcpr_client_x",
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "a__b",
  });
  assert.match(
    body,
    /^\{"jsonrpc":"2\.0","id":1,"method":"tools\/call","params":\{"_meta":\{.*\},"name":"a__b","arguments":\{ "n":1\.0 \}\}\}$/,
  );
  const { params } = JSON.parse(body) as {
    readonly params: { readonly _meta: Readonly<Record<string, unknown>> };
  };
  assert.equal(params._meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
  assert.deepEqual(params._meta["io.modelcontextprotocol/clientCapabilities"], {});
});

test("request() names nothing in the headers where the method names nothing", async () => {
  using fetched = fakeFetch(() => json(DONE));
  await request(endpoint, "tools/list");
  assert.equal(new Headers(fetched.requests[0]?.init.headers).has("mcp-name"), false);
});

test("request() puts every name into a header that a worker reads back as that name", async () => {
  const name = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("=?base64?YQ==?=", " a", "a ", ""),
  );
  await fc.assert(fc.asyncProperty(name, async (text) => {
    using fetched = fakeFetch(() => json(DONE));
    await request(endpoint, "tools/call", { name: JSON.stringify(text) });
    const header = new Headers(fetched.requests[0]?.init.headers).get("mcp-name");
    assert.match(header ?? "\n", /^[\x20-\x7e]*$/);
    assert.equal(mirroredValue(header), text);
  }));
});

const results: Array<[what: string, response: () => Response, result: string]> = [
  ["a JSON body", () => json('{"id":1,"result": { "n":1.0 } ,"jsonrpc":"2.0"}'), '{ "n":1.0 }'],
  [
    "the last event of a stream",
    () =>
      events(
        ': open\n\nevent: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress",' +
          `"params":{}}\n\n: still here\n\nevent: message\ndata: ${DONE}\n\n`,
      ),
    '{"ok":true}',
  ],
  [
    "a stream with CR LF",
    () => events(`event: message\r\ndata: ${DONE}\r\n\r\n`),
    '{"ok":true}',
  ],
  [
    "an event on several lines",
    () => events('data: {"jsonrpc":"2.0","id":1,\ndata: "result":{"ok":true}}\n\n'),
    '{"ok":true}',
  ],
  ["an event without a space", () => events(`data:${DONE}\n\n`), '{"ok":true}'],
  ["a stream that ends in a comment", () => events(`data: ${DONE}\n\n: bye\n\n`), '{"ok":true}'],
  ["a stream without its last line break", () => events(`data: ${DONE}`), '{"ok":true}'],
];

for (const [what, response, result] of results) {
  test(`request() reads the result of ${what} as the server wrote it`, async () => {
    using _ = fakeFetch(response);
    assert.equal(await request(endpoint, "tools/list"), result);
  });
}

const failures: Array<[why: string, response: () => Response, code: string, message: RegExp]> = [
  [
    "a JSON-RPC error",
    () => json('{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: x"}}'),
    "server_failed",
    /^Unknown tool: x$/,
  ],
  [
    "a token that is not known",
    () => json('{"jsonrpc":"2.0","error":{"code":-32600,"message":"Cannot accept"}}', 401),
    "server_failed",
    /^Cannot accept$/,
  ],
  ["a page", () => new Response("<html>", { status: 502 }), "server_failed", /HTTP 502$/],
  ["nothing", () => new Response("", { status: 200 }), "server_failed", /HTTP 200$/],
  ["a stream without events", () => events(": open\n\n"), "server_failed", /HTTP 200$/],
  ["JSON that is no message", () => json("[]"), "server_failed", /HTTP 200$/],
  ["an error without a message", () => json('{"error":{}}', 500), "server_failed", /HTTP 500$/],
  [
    "an error with text that moves the cursor",
    () => json('{"error":{"code":1,"message":"\\u001b[2J\\nfine"}}'),
    "server_failed",
    /^\\x1b\[2J\\x0afine$/,
  ],
  [
    "a body that breaks off",
    () => new Response(brokenBody('{"jsonrpc":"2.0",')),
    "tunnel_protocol",
    /^The worker at https:\/\/worker\.example\/mcp broke off its answer: the tool may have run$/,
  ],
];

for (const [why, response, code, message] of failures) {
  test(`request() says what is wrong after ${why}`, async () => {
    using _ = fakeFetch(response);
    await assert.rejects(request(endpoint, "tools/list"), { name: "GatewayError", code, message });
  });
}

test("request() says that nobody answers, without the token", async () => {
  using _ = fakeFetch(() => Promise.reject(new TypeError("fetch failed")));
  await assert.rejects(request(endpoint, "tools/list"), {
    code: "tunnel_protocol",
    message: "Cannot reach the worker at https://worker.example/mcp: is it running?",
  });
});
