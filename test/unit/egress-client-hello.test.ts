import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createAllowlist, hostOf } from "../../runner/egress-proxy/allowlist.ts";
import { MAX_HELLO_BYTES, readClientHello } from "../../runner/egress-proxy/client-hello.ts";

const uint16 = (value: number) => [value >> 8, value & 0xff];
const ascii = (text: string) => Array.from(text, (c) => c.charCodeAt(0) & 0xff);
const counted = (bytes: readonly number[]) => [...uint16(bytes.length), ...bytes];

const named = (...names: readonly string[]) =>
  extension(0, counted(names.flatMap((name) => [0, ...counted(ascii(name))])));
const extension = (type: number, data: readonly number[]) => [...uint16(type), ...counted(data)];

/** The handshake message of a client. */
function hello(...extensions: readonly (readonly number[])[]): number[] {
  const random = Array.from({ length: 32 }, (_, i) => i);
  const body = [3, 3, ...random, 0, ...counted([0x13, 0x01]), 1, 0, ...counted(extensions.flat())];
  return [1, 0, ...uint16(body.length), ...body];
}

/** A message in records of `size` bytes each. */
function records(message: readonly number[], size = 16_000): Uint8Array {
  const parts = Array.from(
    { length: Math.ceil(message.length / size) },
    (_, i) => message.slice(i * size, (i + 1) * size),
  );
  return Uint8Array.from(parts.flatMap((part) => [22, 3, 1, ...counted(part)]));
}

const alpn = extension(16, counted([2, ...ascii("h2")]));

test("readClientHello() finds the name, wherever it stands", () => {
  for (const message of [hello(named("a.example")), hello(alpn, named("a.example"), alpn)]) {
    assert.deepEqual(readClientHello(records(message)), { name: "a.example" });
  }
});

test("readClientHello() says that no name was asked for", () => {
  for (const message of [hello(), hello(alpn), hello(extension(0, counted([])))]) {
    assert.deepEqual(readClientHello(records(message)), { name: undefined });
  }
});

test("readClientHello() puts records together, and waits for the last byte", () => {
  const message = hello(alpn, named("a.example"));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), (size) => {
      const bytes = records(message, size);
      for (let end = 0; end < bytes.length; end++) {
        assert.equal(readClientHello(bytes.subarray(0, end)), "more", `${end} of ${bytes.length}`);
      }
      assert.deepEqual(readClientHello(bytes), { name: "a.example" });
    }),
    { numRuns: 20 },
  );
});

const invalid: [why: string, bytes: Uint8Array][] = [
  ["two names", records(hello(named("a.example", "b.example")))],
  ["two extensions with names", records(hello(named("a.example"), named("b.example")))],
  ["a name of an unknown type", records(hello(extension(0, counted([1, ...counted([65])]))))],
  ["bytes after the list of names", records(hello(extension(0, [...counted([]), 7])))],
  ["a list that is longer than its extension", records(hello(extension(0, [0, 9, 0, 0, 1, 65])))],
  [
    "a session id that leads out of the message",
    records([1, 0, 0, 36, 3, 3, ...Array<number>(32).fill(0), 99, 0]),
  ],
  ["a message of another kind", records([2, 0, 0, 4, 0, 0, 0, 0])],
  [
    "a record of another kind between two",
    Uint8Array.from([
      22,
      3,
      1,
      0,
      1,
      1,
      23,
      3,
      3,
      0,
      1,
      0,
    ]),
  ],
  ["an empty record", Uint8Array.from([22, 3, 1, 0, 0])],
  ["the version of another protocol", Uint8Array.from([22, 2, 0])],
  ["a record that is too long", Uint8Array.from([22, 3, 1, 0xff, 0xff])],
  ["a message that is too long", Uint8Array.from([22, 3, 1, 0, 4, 1, 1, 0, 0])],
];
for (const [why, bytes] of invalid) {
  test(`readClientHello() refuses ${why}`, () => {
    assert.equal(readClientHello(bytes), "invalid");
  });
}

test("readClientHello() never waits for more than its limit", () => {
  const endless = records([1, 0, 0x3f, 0xf0, ...Array<number>(40_000).fill(0)], 5);
  assert.equal(readClientHello(endless.subarray(0, MAX_HELLO_BYTES + 10)), "invalid");
});

test("whatever bytes come, readClientHello() gives an answer", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ maxLength: 400 }).map((body) => records([...body], 50)),
    fc.uint8Array({ maxLength: 400 }).map((body) => records([1, 0, ...counted([...body])])),
  );
  fc.assert(
    fc.property(bytes, (all) => {
      const answer = readClientHello(all);
      assert.ok(answer === "more" || answer === "invalid" || "name" in answer);
    }),
    { numRuns: 2_000 },
  );
});

test("a ClientHello with bytes changed never gives a name that another reader would not find", () => {
  const allowlist = createAllowlist([{ host: "allowed.example", port: 443 }]);
  const bytes = records(hello(alpn, named("denied.example"), alpn));
  const changes = fc.array(
    fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 })),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(changes, (list) => {
      const changed = Uint8Array.from(bytes);
      for (const [at, value] of list) changed[at] = value;
      const answer = readClientHello(changed);
      if (typeof answer === "string" || answer.name === undefined) return;
      const host = hostOf(answer.name);
      // Six bytes do not turn the one name into the other.
      assert.ok(host === undefined || !allowlist.allows(host, 443), host);
      assert.ok(Array.from(changed, (c) => String.fromCharCode(c)).join("").includes(answer.name));
    }),
    { numRuns: 2_000 },
  );
});
