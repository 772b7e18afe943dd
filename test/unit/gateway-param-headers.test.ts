import assert from "node:assert/strict";
import { test } from "node:test";
import { openScripted, type Script } from "../support/scripted-gateway.ts";

const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString("base64")}?=`;

/** A tool whose parameters "region", "count", "dry" and "deep.key" have headers. */
const TOOL = {
  name: "query",
  inputSchema: {
    type: "object",
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      count: { type: "integer", "x-mcp-header": "Count" },
      dry: { type: "boolean", "x-mcp-header": "Dry" },
      deep: {
        type: "object",
        properties: { key: { type: "string", "x-mcp-header": "Deep-Key" } },
      },
      free: { type: "string" },
    },
  },
};

const calls: Array<
  [what: string, args: unknown, headers: Record<string, string>, wrong?: RegExp]
> = [
  ["no value and no header", {}, {}],
  ["no arguments at all", undefined, {}],
  ["null and no header", { region: null }, {}],
  ["a value and its header", { region: "eu" }, { region: "eu" }],
  ["a value in Base64", { region: "Grüße" }, { region: base64("Grüße") }],
  ["text that looks like Base64", { region: "=?base64?x" }, { region: "=?base64?x" }],
  ["an integer", { count: 42 }, { count: "42" }],
  ["the same integer in other digits", { count: 42 }, { count: "42.0" }],
  ["a negative integer", { count: -7 }, { count: "-7" }],
  ["a boolean", { dry: false }, { dry: "false" }],
  ["a value below another", { deep: { key: "k" } }, { "deep-key": "k" }],
  ["a header that the tool does not have", { free: "x" }, { other: "y", constructor: "z" }],
  ["a header that is missing", { region: "eu" }, {}, /mcp-param-region is missing/i],
  ["a header that differs", { region: "eu" }, { region: "us" }, /differs/],
  ["a header in other letters", { region: "eu" }, { region: "EU" }, /differs/],
  ["a header without a value", {}, { region: "eu" }, /differs/],
  ["a header for null", { region: null }, { region: "null" }, /differs/],
  ["another integer", { count: 42 }, { count: "43" }, /differs/],
  ["an integer in hexadecimal", { count: 16 }, { count: "0x10" }, /differs/],
  ["no number for an integer", { count: 0 }, { count: "" }, /differs/],
  ["the other boolean", { dry: true }, { dry: "false" }, /differs/],
  ["bad padding in Base64", { region: "Hello" }, { region: "=?base64?SGVsbG8?=" }, /be read/],
  [
    "foreign letters in Base64",
    { region: "Hello" },
    { region: "=?base64?SGVs!!!bG8=?=" },
    /be read/,
  ],
  ["a missing header below", { deep: { key: "k" } }, {}, /Deep-Key is missing/i],
];

for (const [what, args, paramHeaders, wrong] of calls) {
  test(`a call with ${what} is ${wrong ? "refused, and does not run" : "made"}`, async () => {
    const bench = openScripted({ a: { tools: [TOOL] } });
    const events = await bench.ask("tools/call", { name: "a__query", arguments: args }, {
      paramHeaders,
    });
    assert.equal(bench.server("a").exchanges.length, wrong ? 0 : 1);
    if (wrong === undefined) return;
    assert.match(events[0] ?? "", wrong);
    assert.match(events[0] ?? "", /^error \{"code":-32020,.*\} 400$/);
  });
}

test("a call without the frame's headers has none", async () => {
  const bench = openScripted({ a: { tools: [TOOL] } });
  const events = await bench.ask("tools/call", { name: "a__query", arguments: { region: "eu" } });
  assert.match(events[0] ?? "", /-32020/);
});

test("callers of legacy revisions know no such headers", async () => {
  const bench = openScripted({ a: { tools: [TOOL] } });
  await bench.ask("tools/call", { name: "a__query", arguments: { region: "eu" } }, {
    protocolVersion: "2025-11-25",
  });
  assert.equal(bench.server("a").exchanges.length, 1);
});

const annotated = (property: object, more: object = {}): object => ({
  name: "query",
  inputSchema: { type: "object", properties: { region: property }, ...more },
});

const invalid: Array<[why: string, tool: object]> = [
  ["is empty", annotated({ type: "string", "x-mcp-header": "" })],
  ["is no token", annotated({ type: "string", "x-mcp-header": "a b" })],
  ["has a line break", annotated({ type: "string", "x-mcp-header": "a\r\nb" })],
  ["is no text", annotated({ type: "string", "x-mcp-header": 7 })],
  ["is on a number", annotated({ type: "number", "x-mcp-header": "A" })],
  ["is on an object", annotated({ type: "object", "x-mcp-header": "A" })],
  ["is on what has no type", annotated({ "x-mcp-header": "A" })],
  ["is below items", annotated({ type: "array", items: { type: "string", "x-mcp-header": "A" } })],
  ["is below allOf", annotated({ allOf: [{ type: "string", "x-mcp-header": "A" }] })],
  ["is below $defs", annotated({}, { $defs: { r: { type: "string", "x-mcp-header": "A" } } })],
  ["is on the whole schema", {
    name: "query",
    inputSchema: { type: "string", "x-mcp-header": "A" },
  }],
  [
    "is there twice",
    annotated({
      type: "object",
      properties: {
        a: { type: "string", "x-mcp-header": "Same" },
        b: { type: "string", "x-mcp-header": "sAME" },
      },
    }),
  ],
];

for (const [why, tool] of invalid) {
  test(`a tool whose x-mcp-header ${why} is left out over HTTP, with the reason, and kept over stdio`, async () => {
    const script: Script = { tools: [tool, "good"] };
    const bench = openScripted({ web: { ...script, transport: "http" }, local: script });
    assert.deepEqual(
      bench.gateway.offer().servers.map(({ tools }) => tools.map(({ key }) => key)),
      [["web__good"], ["local__query", "local__good"]],
    );
    const [problem, ...others] = bench.gateway.problems("web");
    assert.deepEqual([problem?.kind, problem?.key, others.length], ["broken", "query", 0]);
    assert.match(problem?.why ?? "", /x-mcp-header/);
    assert.deepEqual(bench.gateway.problems("local"), []);
    await bench.ask("tools/call", { name: "local__query", arguments: { region: "eu" } });
    assert.equal(bench.server("local").exchanges.length, 1);
  });
}

test("the word as data or as the name of a parameter is no annotation", () => {
  const bench = openScripted({
    web: {
      transport: "http",
      tools: [annotated({
        type: "object",
        default: { "x-mcp-header": "" },
        enum: [{ "x-mcp-header": 7 }],
        properties: { "x-mcp-header": { type: "string" } },
      })],
    },
  });
  assert.equal(bench.gateway.offer().servers[0]?.tools.length, 1);
});
