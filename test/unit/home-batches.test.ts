import assert from "node:assert/strict";
import { test } from "node:test";
import { readBatch } from "../../worker/home/message.ts";
import { MODERN_META } from "../support/home.ts";

const ping = (id: unknown) => ({ jsonrpc: "2.0", id, method: "ping" });

test("readBatch() gives the messages of an array in their order, each as if it had come alone", () => {
  const body = ` \n[${JSON.stringify(ping("a"))}, {"jsonrpc":"2.0","method":"notifications/x",` +
    `"params":{ "y" : [1.0] }},{"jsonrpc":"2.0","id":7,"result":{ "ok":true }},` +
    `{"jsonrpc":"2.0","id":8,"error":{"code":1,"message":""}}] `;
  const messages = readBatch(body) ?? [];
  assert.deepEqual(
    messages.map(({ kind, id, method, params }) => [kind, id, method, params]),
    [
      ["request", '"a"', "ping", ""],
      ["notification", undefined, "notifications/x", '{ "y" : [1.0] }'],
      ["response", "7", "", ""],
      ["response", "8", "", ""],
    ],
  );
  assert.equal(messages[1]?.rawParam("y"), "[1.0]");
  assert.equal(messages[2]?.rawMember("result"), '{ "ok":true }');
  assert.equal(messages[3]?.rawMember("error"), '{"code":1,"message":""}');
});

test("readBatch() leaves what is no array to others", () => {
  for (const body of ["", " ", "{}", JSON.stringify(ping(1)), '"[]"', "]", "\u00a0[]"]) {
    assert.equal(readBatch(body), undefined);
  }
});

test("readBatch() takes 100 messages and a claim of an old version", () => {
  const many = Array.from({ length: 100 }, (_, n) => ping(n));
  assert.equal(readBatch(JSON.stringify(many))?.length, 100);
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2025-03-26" };
  assert.equal(readBatch(JSON.stringify([{ ...ping(1), params: { _meta } }]))?.length, 1);
});

const refused: ReadonlyArray<readonly [why: string, batch: unknown, code?: string]> = [
  ["no message", []],
  ["101 messages", Array.from({ length: 101 }, (_, n) => ping(n))],
  ["a batch in a batch", [[ping(1)]]],
  ["a number among them", [ping(1), 7]],
  ["null among them", [null]],
  ["a message without a method", [ping(1), { jsonrpc: "2.0", id: 2 }]],
  ["a message with a null id", [ping(null)]],
  ["another JSON-RPC among them", [ping(1), { ...ping(2), jsonrpc: "1.0" }]],
  ["a message that claims to be modern", [ping(1), { ...ping(2), params: { _meta: MODERN_META } }]],
  ["a modern notification", [{
    jsonrpc: "2.0",
    method: "notifications/x",
    params: { _meta: MODERN_META },
  }]],
  ["a claim of no known version", [{
    ...ping(1),
    params: { _meta: { "io.modelcontextprotocol/protocolVersion": 7 } },
  }]],
  ["6,000 params", [{
    ...ping(1),
    params: Object.fromEntries(Array.from({ length: 6_000 }, (_, n) => [n, 0])),
  }]],
];

for (const [why, batch] of refused) {
  test(`readBatch() refuses ${why}`, () => {
    assert.throws(() => readBatch(JSON.stringify(batch)), { code: "invalid_request" });
  });
}

test("readBatch() refuses an array that is no JSON", () => {
  for (const body of ["[", "[}", `[${JSON.stringify(ping(1))},]`]) {
    assert.throws(() => readBatch(body), { code: "malformed_json" });
  }
});
