import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import * as fc from "fast-check";
import {
  createClientToken,
  createTunnelToken,
  findToken,
  listTokens,
  revokeToken,
  TOMBSTONE_MS,
} from "../../worker/access/ledger.ts";
import { type MemoryStore, memoryStore } from "../support/store-memory.ts";

const START = 1_800_000_000_000;

let at = START;
const now = () => at;
let store: MemoryStore;

beforeEach(() => {
  at = START;
  store = memoryStore(now);
});

const newClient = (name = "ci", tools: readonly string[] = ["everything__*"]) =>
  createClientToken(store, { tunnel: "default", name, tools, now });
const newTunnel = (name = "ada-laptop") =>
  createTunnelToken(store, { tunnel: "default", name, now });

test("createClientToken() gives a token that is found by what its holder presents", async () => {
  const { bearer, token } = await newClient();
  assert.match(bearer, /^mcpr_client_[A-Za-z0-9_-]{43}$/);
  assert.match(token.id, /^[0-9a-f]{12}$/);
  assert.deepEqual(token, {
    kind: "client",
    id: token.id,
    tunnel: "default",
    name: "ci",
    tools: ["everything__*"],
    createdAt: START,
  });
  assert.deepEqual(await findToken(store, bearer), token);
});

test("createTunnelToken() gives a token for a tunnel, with no tools", async () => {
  const { bearer, token } = await newTunnel();
  assert.match(bearer, /^mcpr_tunnel_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(await findToken(store, bearer), token);
  assert.equal("tools" in token, false);
});

test("findToken() finds nothing for anything but a token that was given out", async () => {
  const { bearer } = await newClient();
  const presented = [
    "",
    bearer.slice(0, -1),
    `${bearer}A`,
    bearer.replace("client", "tunnel"),
    bearer.toUpperCase(),
    `mcpr_client_${"A".repeat(43)}`,
    `mcpr_admin_${"A".repeat(43)}`,
    `${bearer}\n`,
  ];
  for (const text of presented) assert.equal(await findToken(store, text), undefined, text);
});

test("findToken() asks the store only for text that can be a token", async () => {
  await fc.assert(fc.asyncProperty(fc.string({ maxLength: 80 }), async (text) => {
    assert.equal(await findToken(store, text), undefined);
  }));
  assert.equal(store.calls.get, 0);
});

test("findToken() tells a token from another with the same id", async () => {
  const { bearer, token } = await newClient();
  const key = `token/client/${token.id}`;
  const entry = await store.get(key);
  assert.ok(entry !== undefined);
  const value = entry.value.replace(
    /"digest":"[0-9a-f]{64}"/,
    (digest) => digest.replace(/.{52}"$/, `${"0".repeat(52)}"`),
  );
  assert.notEqual(value, entry.value);
  await store.commit({ set: [{ key, value }] });
  assert.equal(await findToken(store, bearer), undefined);
});

test("listTokens() lists by kind or all, oldest first, and nothing secret", async () => {
  const made = [];
  for (const make of [newTunnel, newClient, newTunnel, newClient]) {
    at += 1000;
    made.push(await make());
  }
  const [tunnelA, clientA, tunnelB, clientB] = made.map(({ token }) => token);
  assert.deepEqual(await listTokens(store), [tunnelA, clientA, tunnelB, clientB]);
  assert.deepEqual(await listTokens(store, "client"), [clientA, clientB]);
  assert.deepEqual(await listTokens(store, "tunnel"), [tunnelA, tunnelB]);
});

test("revokeToken() ends one token for good, and is remembered for 90 days", async () => {
  const [gone, other] = [await newClient("a"), await newClient("b")];
  at += 5000;
  const revoked = { ...gone.token, revokedAt: at };
  assert.deepEqual(await revokeToken(store, gone.token.id, now), revoked);
  assert.deepEqual(await findToken(store, gone.bearer), revoked);
  assert.deepEqual(await findToken(store, other.bearer), other.token);

  at += 5000;
  assert.deepEqual(await revokeToken(store, gone.token.id, now), revoked, "keeps its time");
  at = revoked.revokedAt + TOMBSTONE_MS;
  assert.equal(await findToken(store, gone.bearer), undefined);
});

test("revokeToken() finds tokens of both kinds, and nothing for an id that none has", async () => {
  const { token } = await newTunnel();
  assert.equal((await revokeToken(store, token.id, now))?.revokedAt, START);
  for (const id of ["", "0".repeat(12), "../client/x", token.id.slice(1), `${token.id}0`]) {
    assert.equal(await revokeToken(store, id, now), undefined, id);
  }
});

test("a token revoked by many at once is revoked once", async () => {
  const { token } = await newClient();
  const results = await Promise.all(
    Array.from({ length: 20 }, () => revokeToken(store, token.id, () => at++)),
  );
  assert.equal(new Set(results.map((one) => one?.revokedAt)).size, 1);
});

test("a token that has expired is remembered for 90 days more", async () => {
  const expiresAt = START + 60_000;
  const request = { tunnel: "default", name: "ci", tools: [], expiresAt, now };
  const { bearer, token } = await createClientToken(store, request);
  assert.equal(token.expiresAt, expiresAt);
  at = expiresAt + TOMBSTONE_MS - 1;
  assert.deepEqual(await findToken(store, bearer), token);
  at = expiresAt + TOMBSTONE_MS;
  assert.equal(await findToken(store, bearer), undefined);
});

test("tokens made at once are all different and all kept", async () => {
  const made = await Promise.all(Array.from({ length: 50 }, () => newClient()));
  assert.equal(new Set(made.map(({ bearer }) => bearer)).size, 50);
  assert.equal((await listTokens(store)).length, 50);
});

const refused: ReadonlyArray<readonly [why: string, request: object]> = [
  ["an empty name", { name: " " }],
  ["a name that is too long", { name: "x".repeat(65) }],
  ["a name with a control character", { name: "ci\u0007" }],
  ["a name with an invisible character", { name: "ci\u200d" }],
  ["a tunnel in upper case", { tunnel: "Default" }],
  ["a tunnel that is a path", { tunnel: "../x" }],
  ["an empty pattern", { tools: [""] }],
  ["a pattern that is too long", { tools: ["x".repeat(129)] }],
  ["a pattern with a line break", { tools: ["a\nb"] }],
  ["too many patterns", { tools: Array.from({ length: 101 }, () => "a") }],
  ["a name that is no text", { name: { secret: 1 } }],
  ["patterns that are no list", { tools: "everything" }],
  ["an expiry in the past", { expiresAt: START }],
  ["an expiry that is no time", { expiresAt: Number.NaN }],
];

for (const [why, request] of refused) {
  test(`createClientToken() refuses ${why}, and does not repeat it`, async () => {
    const whole = { tunnel: "default", name: "ci", tools: ["a"], now, ...request };
    await assert.rejects(createClientToken(store, whole), {
      name: "GatewayError",
      code: "invalid_request",
      message: /^Cannot use this [\w ]+: [\w ,.-]+[^.]$/,
    });
    assert.equal(store.size, 0);
  });
}

test("any printable name comes back as it was, trimmed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 64 }),
      async (name) => {
        fc.pre(name.trim() !== "");
        const { bearer } = await newTunnel(name);
        assert.equal((await findToken(store, bearer))?.name, name.trim());
      },
    ),
    { numRuns: 50 },
  );
});

test("the store holds no token as it is presented", async () => {
  const bearers = [(await newClient()).bearer, (await newTunnel()).bearer];
  const dump = store.dump();
  for (const bearer of bearers) {
    assert.ok(!dump.includes(bearer));
    assert.ok(!dump.includes(bearer.slice("mcpr_client_".length)));
  }
});
