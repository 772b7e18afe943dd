import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answer } from "../../runner/egress-proxy/dns-message.ts";

const PROXY = [172, 18, 0, 2];
const knows = (name: string) => name === "allowed.example";
const ascii = (text: string) => Array.from(text, (c) => c.charCodeAt(0));
const labels = (name: string) =>
  name.split(".").flatMap((label) => [label.length, ...ascii(label)]).concat(0);

/** A question; the flags ask for recursion. */
function query(name: string, type = 1, { flags = [1, 0], more = [] as number[], kind = 1 } = {}) {
  return Uint8Array.from([
    0xab,
    0xcd,
    ...flags,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    more.length > 0 ? 1 : 0,
    ...labels(name),
    0,
    type,
    0,
    kind,
    ...more,
  ]);
}

const codeOf = (message: Uint8Array) => (message[3] ?? 0) & 0x0f;
const answersOf = (message: Uint8Array) => message[7];

test("an allowed name leads to the proxy", () => {
  const reply = answer(query("Allowed.EXAMPLE"), PROXY, knows);
  assert.ok(reply !== undefined);
  assert.equal(reply.blocked, undefined);
  assert.deepEqual([...reply.message.subarray(0, 8)], [0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1]);
  assert.deepEqual([...reply.message.subarray(-4)], PROXY);
});

test("an allowed name has no records of other types", () => {
  for (const type of [28, 16, 65, 15, 255]) {
    const reply = answer(query("allowed.example", type), PROXY, knows);
    assert.ok(reply !== undefined);
    assert.deepEqual([codeOf(reply.message), answersOf(reply.message)], [0, 0]);
  }
});

test("any other name does not exist, and is told", () => {
  for (const name of ["denied.example", "a.allowed.example", "example", "secret.attacker.test"]) {
    const reply = answer(query(name), PROXY, knows);
    assert.ok(reply !== undefined);
    assert.deepEqual([codeOf(reply.message), answersOf(reply.message)], [3, 0]);
    assert.equal(reply.blocked, name);
  }
});

test("a dot inside a label does not make two of it", () => {
  const forged = [15, ...ascii("allowed.example"), 0];
  const message = Uint8Array.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...forged, 0, 1, 0, 1]);
  assert.equal(answer(message, PROXY, knows)?.blocked, "allowed\\.example");
});

test("what follows the question is not sent back", () => {
  const edns = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0];
  const reply = answer(query("allowed.example", 28, { more: edns }), PROXY, knows);
  assert.equal(reply?.message.length, query("allowed.example").length);
});

test("a question of another class, or another kind of message, gets no address", () => {
  assert.equal(
    answer(query("allowed.example", 1, { kind: 3 }), PROXY, knows)?.blocked,
    "allowed.example",
  );
  const update = answer(query("allowed.example", 1, { flags: [0x28, 0] }), PROXY, knows);
  assert.equal(codeOf(update?.message ?? new Uint8Array()), 4);
  assert.equal(answer(query("allowed.example", 1, { flags: [0x81, 0] }), PROXY, knows), undefined);
});

test("whatever bytes come, the reply is short and holds no address of a name that is not allowed", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.uint8Array({ maxLength: 40 }).map((tail) =>
      Uint8Array.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...tail])
    ),
  );
  fc.assert(
    fc.property(bytes, (message) => {
      const reply = answer(message, PROXY, () => false);
      if (reply === undefined) return;
      assert.ok(reply.message.length <= 512);
      assert.equal(answersOf(reply.message), 0);
    }),
    { numRuns: 2_000 },
  );
});
