import assert from "node:assert/strict";
import { test } from "node:test";
import { callTool } from "../../runner/client/tool-call.ts";
import { fakeFetch } from "../support/fake-fetch.ts";

const endpoint = { url: "https://worker.example/mcp", token: "mcpr_client_x" };

const properties = {
  region: { type: "string", "x-mcp-header": "Region" },
  deep: { type: "object", properties: { n: { type: "integer", "x-mcp-header": "N" } } },
};
const PAGES = [
  { tools: [{ name: "other", inputSchema: { properties } }], nextCursor: "2" },
  { tools: [{ name: "query", inputSchema: { type: "object", properties } }] },
];

/** Calls a tool of an endpoint that lists `pages`; gives the headers and methods of all requests. */
async function called(pages: readonly object[], name: string, args: string) {
  const left = [...pages];
  using fetched = fakeFetch(() => Response.json({ id: 1, result: left.shift() ?? { ok: true } }));
  const result = await callTool(endpoint, { name: JSON.stringify(name), arguments: args });
  assert.equal(result, '{"ok":true}');
  const headers = fetched.requests.map(({ init }) => new Headers(init.headers));
  const last = headers.at(-1);
  return {
    methods: headers.map((each) => each.get("mcp-method")),
    bodies: fetched.requests.map(({ init }) => typeof init.body === "string" ? init.body : ""),
    header: (key: string) => last?.get(`mcp-param-${key}`),
  };
}

test("callTool() repeats arguments in headers as the tool's schema says, from whichever page", async () => {
  const args = '{"region":"Grüße","deep":{"n":7.0}}';
  const { methods, bodies, header } = await called(PAGES, "query", args);
  assert.deepEqual(methods, ["tools/list", "tools/list", "tools/call"]);
  assert.match(bodies[1] ?? "", /"cursor":"2"/);
  assert.ok(bodies[2]?.includes(`"arguments":${args}`));
  assert.equal(header("region"), "=?base64?R3LDvMOfZQ==?=");
  assert.equal(header("n"), "7");
});

test("callTool() finds no headers for arguments without a value, or of a tool that is not listed", async () => {
  const absent = await called(PAGES, "query", '{"region":null}');
  assert.deepEqual([absent.header("region"), absent.header("n")], [null, null]);
  const unlisted = await called([{ tools: [] }], "query", '{"region":"eu"}');
  assert.deepEqual(unlisted.methods, ["tools/list", "tools/call"]);
  assert.equal(unlisted.header("region"), null);
});

test("callTool() ends at a list that names the same page again and again", async () => {
  const loop = { tools: [], nextCursor: "x" };
  const { methods } = await called([loop, loop], "query", "{}");
  assert.deepEqual(methods, ["tools/list", "tools/list", "tools/call"]);
});
