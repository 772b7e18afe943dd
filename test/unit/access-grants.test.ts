import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { grantFinder } from "../../worker/access/grants.ts";
import { createClientToken, createTunnelToken, revokeToken } from "../../worker/access/ledger.ts";
import type { Store } from "../../worker/store/store.ts";
import { type MemoryStore, memoryStore } from "../support/store-memory.ts";

const START = 1_800_000_000_000;
const MADE_UP = `mcpr_client_${"A".repeat(43)}`;

let at = START;
const now = () => at;
let store: MemoryStore;

beforeEach(() => {
  at = START;
  store = memoryStore(now);
});

const newClient = (expiresAt?: number) =>
  createClientToken(store, {
    tunnel: "default",
    name: "ci",
    tools: ["*"],
    now,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });

test("a live token of either kind grants what it was made for", async () => {
  const grantOf = grantFinder(store, { now });
  const client = await newClient();
  const tunnel = await createTunnelToken(store, { tunnel: "default", name: "ada", now });
  assert.deepEqual(await grantOf(client.bearer), { status: "ok", grant: client.token });
  assert.deepEqual(await grantOf(tunnel.bearer), { status: "ok", grant: tunnel.token });
});

test("what is no token is unknown", async () => {
  const grantOf = grantFinder(store, { now });
  for (const text of ["", "x", MADE_UP]) {
    assert.deepEqual(await grantOf(text), { status: "unknown" });
  }
});

test("a thousand calls within two seconds look into the store once", async () => {
  const grantOf = grantFinder(store, { now });
  const { bearer } = await newClient();
  const looksBefore = store.calls.get;
  for (let n = 0; n < 1000; n++) {
    at = START + n;
    assert.equal((await grantOf(bearer)).status, "ok");
  }
  assert.equal(store.calls.get - looksBefore, 1);
});

test("a call whose look into the store never ends holds up no other", async () => {
  let hung = false;
  const hanging: Store = {
    ...store,
    async get(key) {
      if (!hung) {
        hung = true;
        await new Promise(() => {});
      }
      return await store.get(key);
    },
  };
  const grantOf = grantFinder(hanging, { now });
  const { bearer } = await newClient();
  void grantOf(bearer);
  assert.equal((await grantOf(bearer)).status, "ok");
});

test("a revoked token stops within two seconds, also while it is in constant use", async () => {
  const grantOf = grantFinder(store, { now });
  const { bearer, token } = await newClient();
  assert.equal((await grantOf(bearer)).status, "ok");
  at = START + 100;
  await revokeToken(store, token.id, now);

  let lastOk = 0;
  for (; at < START + 5000; at += 50) {
    if ((await grantOf(bearer)).status === "ok") lastOk = at;
  }
  assert.ok(lastOk > START + 100, "the answer is remembered at all");
  assert.ok(lastOk - (START + 100) < 2000);
  assert.deepEqual(await grantOf(bearer), { status: "revoked" });
});

test("a token stops at its very expiry, remembered or not", async () => {
  const grantOf = grantFinder(store, { now });
  const { bearer } = await newClient(START + 1000);
  at = START + 999;
  assert.equal((await grantOf(bearer)).status, "ok");
  at = START + 1000;
  assert.deepEqual(await grantOf(bearer), { status: "expired" });
});

test("a token is good as soon as it exists, though it was unknown just before", async () => {
  const grantOf = grantFinder(store, { now });
  const { bearer, token } = await newClient();
  const entries = await store.list("token/client/");
  await store.commit({ del: [`token/client/${token.id}`] });
  assert.equal((await grantOf(bearer)).status, "unknown");
  await store.commit({ set: entries.map(([key, { value }]) => ({ key, value })) });
  assert.equal((await grantOf(bearer)).status, "ok");
});

test("an answer that was long in coming counts from when it was asked for", async () => {
  const [looked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow: Store = {
    ...store,
    async get(key) {
      const entry = await store.get(key);
      looked.resolve();
      await answered.promise;
      return entry;
    },
  };
  const grantOf = grantFinder(slow, { now });
  const { bearer, token } = await newClient();
  const asked = grantOf(bearer);
  await looked.promise;
  await revokeToken(store, token.id, now);
  at = START + 1900;
  answered.resolve();
  assert.equal((await asked).status, "ok");
  at = START + 2000;
  assert.equal((await grantOf(bearer)).status, "revoked");
});

test("a failing store fails the call that asks and is asked again by the next", async () => {
  let broken = true;
  const flaky: Store = {
    ...store,
    async get(key) {
      if (broken) throw new GatewayError("store_unavailable", "Cannot reach the store");
      return await store.get(key);
    },
  };
  const grantOf = grantFinder(flaky, { now });
  const { bearer } = await newClient();
  await assert.rejects(grantOf(bearer), { code: "store_unavailable" });
  broken = false;
  assert.equal((await grantOf(bearer)).status, "ok");
});

test("a clock that is set back makes a remembered answer stale, not eternal", async () => {
  const grantOf = grantFinder(store, { now });
  const { bearer, token } = await newClient();
  assert.equal((await grantOf(bearer)).status, "ok");
  await revokeToken(store, token.id, now);
  at = START - 60_000;
  assert.equal((await grantOf(bearer)).status, "revoked");
});

test("made-up tokens write nothing and are looked up each time", async () => {
  const grantOf = grantFinder(store, { now });
  for (let n = 0; n < 100; n++) await grantOf(MADE_UP);
  assert.equal(store.calls.get, 100);
  assert.equal(store.calls.commit, 0);
});
