/**
 * The store contract over the SQLite of a Durable Object in workerd, reached as the front reaches it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { newJoinCode, redeemJoinCode } from "../../worker/access/join-code.ts";
import { listTokens } from "../../worker/access/ledger.ts";
import { remoteStore } from "../../worker/store/remote.ts";
import { storeContract } from "../contract/store.ts";
import { buildStoreWorker, objectStore, setObjectTime } from "../support/store-workerd.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

let directory: string;
let configPath: string;
let workerd: Workerd;
let objects = 0;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "mcp-runner-store-"));
  configPath = await buildStoreWorker(directory);
  workerd = await startWorkerd(configPath);
});

after(async () => {
  await workerd.stop();
  await rm(directory, { recursive: true });
});

storeContract("a Durable Object in workerd", async () => {
  const name = `contract-${objects++}`;
  return {
    store: objectStore(workerd.url, name),
    setTime: (ms) => setObjectTime(workerd.url, name, ms),
    close: () => {},
  };
});

test("what an object has answered is there after workerd is killed", async () => {
  await objectStore(workerd.url, "durable").commit({ set: [{ key: "k", value: "1" }] });
  const before = await objectStore(workerd.url, "durable").get("k");
  await workerd.stop();
  workerd = await startWorkerd(configPath);
  assert.deepEqual(await objectStore(workerd.url, "durable").get("k"), before);
  assert.ok(before !== undefined);
});

test("of 50 who come to an object with one code at once, one gets a token", async () => {
  const store = objectStore(workerd.url, "join");
  // The object's clock stands at zero, so only the codes' own time counts.
  const { code } = await newJoinCode(store, { tunnel: "default" });
  const joins = await Promise.allSettled(
    Array.from({ length: 50 }, () => redeemJoinCode(store, { code, machine: "ada-laptop" })),
  );
  const refusals: unknown[] = [];
  for (const join of joins) if (join.status === "rejected") refusals.push(join.reason);
  assert.equal(refusals.length, 49);
  for (const refusal of refusals) {
    assert.ok(refusal instanceof GatewayError);
    assert.equal(refusal.code, "join_code_invalid");
  }
  const [token, ...others] = await listTokens(store, "tunnel");
  assert.equal(token?.name, "ada-laptop");
  assert.deepEqual(others, []);
});

test("serveStore() refuses what remoteStore() does not send", async () => {
  const bodies = [
    "",
    "null",
    '{"method":"drop"}',
    '{"method":"get"}',
    '{"method":"get","key":1}',
    '{"method":"get","key":"k","more":1}',
    '{"method":"list","prefix":"a/","limit":null}',
    '{"method":"commit","check":[],"set":[{"key":"k","value":{}}],"del":[]}',
    '{"method":"commit","check":[],"set":[{"key":"k","value":"1","ttlMs":null}],"del":[]}',
  ];
  for (const body of bodies) {
    const response = await fetch(`${workerd.url}/refuse/store`, { method: "POST", body });
    assert.equal(response.status, 400, body);
    assert.deepEqual(await response.json(), {
      error: "Cannot read store request: it has no known shape",
    });
  }
  assert.deepEqual(await objectStore(workerd.url, "refuse").get("k"), undefined);
});

const badAnswers: ReadonlyArray<readonly [why: string, answer: () => Response]> = [
  ["cannot be reached", () => {
    throw new TypeError("fetch failed");
  }],
  ["answers an error page", () => new Response("<h1>Oops</h1>", { status: 500 })],
  ["answers a shape that is none", () => Response.json({ result: { value: 1 } })],
  ["answers nothing", () => new Response()],
];

for (const [why, answer] of badAnswers) {
  test(`remoteStore() is store_unavailable when the object ${why}`, async () => {
    const store = remoteStore(() => ({ fetch: async () => answer() }));
    const failure = { name: "GatewayError", code: "store_unavailable" };
    await assert.rejects(store.get("k"), failure);
    await assert.rejects(store.commit({ del: ["k"] }), failure);
    await assert.rejects(store.list("k/"), failure);
  });
}
