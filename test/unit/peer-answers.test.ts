import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Peer } from "../../runner/server/peer.ts";
import { heard, openPeer } from "../support/peer.ts";

/** JSON text of an object, in one of the ways that it may be written on one line. */
const objectText = fc.tuple(
  fc.dictionary(fc.string(), fc.jsonValue()),
  fc.constantFrom("", " ", "\t"),
)
  .map(([value, space]) =>
    space === "" ? JSON.stringify(value) : JSON.stringify(value, null, 1).replaceAll("\n", space)
  );

test("send() passes a result on byte for byte, with the members that it has", () => {
  fc.assert(fc.property(objectText, (text) => {
    const { peer, pipe } = openPeer();
    const { listener, events, members } = heard();
    peer.send("tools/call", () => "{}", listener);
    pipe.say(`{"jsonrpc":"2.0","id":1,"result":${text}}`);
    assert.deepEqual(events, [`result ${text}`]);
    assert.deepEqual(members(), Object.keys(JSON.parse(text) as object));
    assert.equal(peer.garbageLines, 0);
  }));
});

test("send() passes an error on byte for byte", () => {
  fc.assert(fc.property(fc.integer(), fc.string(), fc.jsonValue(), (code, message, data) => {
    const text = `{ "data":${JSON.stringify(data)}, "message":${JSON.stringify(message)},` +
      ` "code":${code}, "more":1.0}`;
    const { peer, pipe } = openPeer();
    const { listener, events } = heard();
    peer.send("tools/call", () => "{}", listener);
    pipe.say(`{"jsonrpc":"2.0","error":${text},"id":1}`);
    assert.deepEqual(events, [`error ${text}`]);
  }));
});

test("send() writes params byte for byte, apart from line breaks between tokens", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.constantFrom("", "\t", "\n", "\r\n"), (value, space) => {
    const { peer, pipe } = openPeer();
    const text = JSON.stringify(value, null, space === "" ? 0 : 2).replaceAll("\n", space);
    peer.send("tools/call", () => text, heard().listener);
    assert.equal(
      pipe.lines[0],
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${text.replace(/[\r\n]/g, " ")}}`,
    );
  }));
});

test("send() puts no line break on the wire that a server could take for the end of a message", () => {
  // Python's text streams end a line at a bare CR, too.
  const { peer, pipe } = openPeer();
  const hidden = '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"secret"}}';
  peer.send("tools/call", () => `{"name":"echo","arguments":\r${hidden}\r}`, heard().listener);
  assert.equal(pipe.lines.length, 1);
  assert.doesNotMatch(pipe.lines[0] ?? "", /[\r\n]/);
});

test("answers go to the requests that they name, in any order", () => {
  const { peer, pipe } = openPeer();
  const heards = [1, 2, 3].map(() => heard());
  for (const { listener } of heards) peer.send("tools/call", () => "{}", listener);
  assert.equal(peer.inFlight, 3);
  for (const id of [2, 3, 1]) pipe.say({ id, result: { for: id } });
  assert.deepEqual(heards.map(({ events }) => events), [
    ['result {"for":1}'],
    ['result {"for":2}'],
    ['result {"for":3}'],
  ]);
  assert.equal(peer.inFlight, 0);
});

test("only the first answer to a request counts", () => {
  const { peer, pipe } = openPeer();
  const { listener, events } = heard();
  peer.send("tools/call", () => "{}", listener);
  pipe.say({ id: 1, result: { n: 1 } });
  pipe.say({ id: 1, result: { n: 2 } });
  pipe.say({ id: 1, error: { code: 1, message: "late" } });
  assert.deepEqual(events, ['result {"n":1}']);
});

const unreadable: Array<[why: string, answer: object]> = [
  ["a result that is text", { result: "done" }],
  ["a result that is a list", { result: [] }],
  ["a result that is null", { result: null }],
  ["neither result nor error", {}],
  ["an error that is text", { error: "no" }],
  ["an error without a code", { error: { message: "no" } }],
  ["an error with a code that is text", { error: { code: "E1", message: "no" } }],
  ["an error without a message", { error: { code: 1 } }],
];

for (const [why, answer] of unreadable) {
  test(`an answer with ${why} ends its own request with an error that a client can read`, () => {
    const { peer, pipe } = openPeer();
    const [bad, good] = [heard(), heard()];
    peer.send("tools/call", () => "{}", bad.listener);
    peer.send("tools/call", () => "{}", good.listener);
    pipe.say({ id: 1, ...answer });
    pipe.say({ id: 2, result: {} });
    assert.deepEqual(bad.events, [
      'error {"code":-32603,"message":"The server sent an answer without result or error"}',
    ]);
    assert.deepEqual(good.events, ["result {}"]);
  });
}

test("request() resolves with the result's text", async () => {
  const { peer, pipe } = openPeer();
  const result = peer.request("tools/list", "{}");
  pipe.say('{"jsonrpc":"2.0","id":1,"result":{ "tools" : [] }}');
  assert.equal(await result, '{ "tools" : [] }');
});

test("request() rejects with the server's name and a bounded part of its error", async () => {
  const { peer, pipe } = openPeer();
  const result = peer.request("tools/list", "{}");
  pipe.say({ id: 1, error: { code: -1, message: "x".repeat(100_000) } });
  await assert.rejects(result, (error: Error) => {
    assert.match(
      error.message,
      /^Cannot use server "probe": it answered tools\/list with \{"code"/,
    );
    assert.ok(error.message.length < 1_000);
    return true;
  });
});

test("each peer counts its own requests", () => {
  const [one, other] = [openPeer(), openPeer()];
  one.peer.send("a", () => "{}", heard().listener);
  one.peer.send("a", () => "{}", heard().listener);
  other.peer.send("a", (id) => `{"id":${id}}`, heard().listener);
  assert.deepEqual(other.pipe.received()[0]?.params, { id: 1 });
  assert.ok(other.peer instanceof Peer);
});
