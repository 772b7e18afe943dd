import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_SERVER_DEPTH } from "../../src/mcp/scan.ts";
import { heard, openPeer } from "../support/peer.ts";

const deep = MAX_SERVER_DEPTH + 1;

const garbage: Array<[why: string, line: string]> = [
  ["a notice of npm", "npm notice New major version of npm available! 10.8.2 -> 11.0.0"],
  ["half a message", '{"jsonrpc":"2.0","id":1,"result":{'],
  ["a message with text after it", '{"jsonrpc":"2.0","id":1,"result":{}} done'],
  ["a byte order mark", '\ufeff{"jsonrpc":"2.0","id":1,"result":{}}'],
  ["a coloured log line", "\u001b[32minfo\u001b[0m listening"],
  ["HTML", "<!doctype html><title>502 Bad Gateway</title>"],
  ["a batch", '[{"jsonrpc":"2.0","id":1,"result":{}}]'],
  ["a JSON text that is no object", '"2.0"'],
  ["an object that is no message", '{"level":"info","id":1,"result":{}}'],
  ["another version of JSON-RPC", '{"jsonrpc":"1.0","id":1,"result":{}}'],
  ["a version that is a number", '{"jsonrpc":2.0,"id":1,"result":{}}'],
  ["a repeated key", '{"jsonrpc":"2.0","id":2,"id":1,"result":{}}'],
  ["a repeated key in the result", '{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}'],
  [
    "nesting beyond the limit",
    `{"jsonrpc":"2.0","id":1,"result":${"[".repeat(deep)}${"]".repeat(deep)}}`,
  ],
  [
    "a result with more members than anybody reads",
    `{"jsonrpc":"2.0","id":1,"result":{${
      Array.from({ length: 100_001 }, (_, n) => `"${n}":0`).join()
    }}}`,
  ],
  ["a method that is no text", '{"jsonrpc":"2.0","id":1,"method":7,"result":{}}'],
  ["an answer without an id", '{"jsonrpc":"2.0","result":{}}'],
  ["an answer to null", '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse"}}'],
  ["an answer to a request that was never sent", '{"jsonrpc":"2.0","id":2,"result":{}}'],
  ["an answer to a text id", '{"jsonrpc":"2.0","id":"1","result":{}}'],
  ["an answer to a list", '{"jsonrpc":"2.0","id":[1],"result":{}}'],
  ["an answer to a fraction", '{"jsonrpc":"2.0","id":1.5,"result":{}}'],
  ["an answer to a negative id", '{"jsonrpc":"2.0","id":-1,"result":{}}'],
  ["an answer to zero", '{"jsonrpc":"2.0","id":0,"result":{}}'],
  ["an answer to a number without end", '{"jsonrpc":"2.0","id":1e999,"result":{}}'],
  ["a request with an object as id", '{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}'],
  ["a request with null as id", '{"jsonrpc":"2.0","id":null,"method":"ping"}'],
];

for (const [why, line] of garbage) {
  test(`${why} is counted, and changes nothing for the request in flight`, () => {
    const { peer, pipe, notified } = openPeer();
    const { listener, events } = heard();
    peer.send("tools/call", () => "{}", listener);
    pipe.say(line);
    assert.equal(peer.garbageLines, 1);
    assert.deepEqual(events, []);
    assert.deepEqual(notified, []);
    assert.equal(pipe.lines.length, 1);
    pipe.say({ id: 1, result: {} });
    assert.deepEqual(events, ["result {}"]);
    assert.equal(peer.garbageLines, 1);
  });
}

test("empty lines are nothing, not garbage", () => {
  const { peer, pipe } = openPeer();
  for (const line of ["", " ", "\r", "\t"]) pipe.say(line);
  assert.equal(peer.garbageLines, 0);
});

test("a line that ends in CR LF is read like any other", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  peer.send("tools/call", () => "{}", listener);
  pipe.say('{"jsonrpc":"2.0","id":1,"result":{}}\r');
  assert.deepEqual(events, ["result {}"]);
});

test("the answer to a cancelled request comes late and is no garbage", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  const withdraw = peer.send("tools/call", () => "{}", listener);
  withdraw("The client has left");
  pipe.say({ id: 1, result: {} });
  assert.deepEqual(events, []);
  assert.equal(peer.garbageLines, 0);
});

test("no line of any kind makes the peer throw, or end a request that it does not name", () => {
  const line = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.record({
      jsonrpc: fc.constantFrom("2.0", "1.0", 2),
      id: fc.oneof(fc.constantFrom(2, "1", -1, null, 1e21, [1]), fc.jsonValue()),
      method: fc.oneof(fc.constantFrom("ping", "notifications/progress"), fc.jsonValue()),
      params: fc.jsonValue(),
      result: fc.jsonValue(),
      error: fc.jsonValue(),
    }, { requiredKeys: [] }).map((value) => JSON.stringify(value)),
  ).filter((text) => idOf(text) !== 1);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const { peer, pipe } = openPeer();
      const { listener, events } = heard();
      peer.send("tools/call", () => "{}", listener);
      for (const each of lines) pipe.say(each);
      assert.deepEqual(events.filter((event) => !event.startsWith("progress")), []);
      pipe.say({ id: 1, result: {} });
      assert.equal(events.at(-1), "result {}");
    }),
    { numRuns: 100 },
  );
});

function idOf(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
  } catch {
    return undefined;
  }
}
