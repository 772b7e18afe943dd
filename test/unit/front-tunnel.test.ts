import assert from "node:assert/strict";
import { test } from "node:test";
import { originPolicy } from "../../worker/front/origin.ts";
import {
  helloOf,
  type Message,
  messageOf,
  startWorkerInMemory,
  upgradeHeaders,
} from "../support/home.ts";

const SUPPORTED = { code: "upgrade_required", supported: ["mcpr.v1"] };

/** What a runner might change of its request. */
const refused: ReadonlyArray<
  readonly [why: string, changes: Record<string, string | undefined>, status: number, data: object]
> = [
  ["no upgrade", { upgrade: undefined }, 426, SUPPORTED],
  ["an upgrade to something else", { upgrade: "h2c" }, 426, SUPPORTED],
  ["no subprotocol", { "sec-websocket-protocol": undefined }, 426, SUPPORTED],
  ["another subprotocol", { "sec-websocket-protocol": "mcpr.v2" }, 426, SUPPORTED],
  ["a subprotocol in upper case", { "sec-websocket-protocol": "MCPR.V1" }, 426, SUPPORTED],
  ["a longer subprotocol", { "sec-websocket-protocol": "mcpr.v10, xmcpr.v1" }, 426, SUPPORTED],
  ["a page of the worker itself", { origin: "http://localhost:8787" }, 403, {
    code: "forbidden_origin",
  }],
  ["an allowed page", { origin: "https://app.example.com" }, 403, { code: "forbidden_origin" }],
  ["a foreign page", { origin: "https://evil.example" }, 403, { code: "forbidden_origin" }],
  ["a page without an origin", { origin: "null" }, 403, { code: "forbidden_origin" }],
  ["no token", { authorization: undefined }, 401, { code: "unauthorized" }],
  ["a made-up token", { authorization: `Bearer mcpr_tunnel_${"A".repeat(43)}` }, 401, {
    code: "unauthorized",
  }],
  ["no token and no upgrade", { authorization: undefined, upgrade: undefined }, 401, {
    code: "unauthorized",
  }],
];

for (const [why, changes, status, data] of refused) {
  test(`a tunnel for ${why} is answered ${status}`, async () => {
    const origins = originPolicy({ MCP_RUNNER_ORIGINS: "https://app.example.com" }, "loopback");
    const worker = startWorkerInMemory({ origins });
    const { token } = await worker.tunnelToken();
    const headers = Object.entries({ ...upgradeHeaders(token), ...changes })
      .filter((entry): entry is [string, string] => entry[1] !== undefined);
    const response = await worker.request("/tunnel", { headers });
    assert.equal(response.status, status);
    const { error, ...rest } = await messageOf(response) as Required<Message>;
    assert.deepEqual(error.data, data);
    assert.deepEqual(rest, { jsonrpc: "2.0" });
  });
}

for (const protocols of ["mcpr.v1", "mcpr.v2, mcpr.v1", "x,mcpr.v1,y"]) {
  test(`a tunnel for "${protocols}" is opened`, async () => {
    const worker = startWorkerInMemory();
    const { token } = await worker.tunnelToken();
    const runner = await worker.dial(token, { "sec-websocket-protocol": protocols });
    runner.say(helloOf());
    await runner.next("welcome");
  });
}

test("a client's token opens no tunnel", async () => {
  const worker = startWorkerInMemory();
  const { token } = await worker.client();
  const response = await worker.request("/tunnel", { headers: upgradeHeaders(token) });
  assert.equal(response.status, 401);
});

test("a revoked token is told so, with 403, because its runner must stop", async () => {
  const worker = startWorkerInMemory();
  const [mine, owner] = [await worker.tunnelToken(), await worker.tunnelToken()];
  const authorization = `Bearer ${owner.token}`;
  await worker.request(`/api/tokens/${mine.id}`, { method: "DELETE", headers: { authorization } });
  const response = await worker.request("/tunnel", { headers: upgradeHeaders(mine.token) });
  assert.equal(response.status, 403);
  assert.deepEqual((await messageOf(response)).error?.data, { code: "token_revoked" });
});

for (const method of ["POST", "DELETE", "PUT"]) {
  test(`${method} opens no tunnel`, async () => {
    const worker = startWorkerInMemory();
    const { token } = await worker.tunnelToken();
    const response = await worker.request("/tunnel", { method, headers: upgradeHeaders(token) });
    assert.equal(response.status, 404);
  });
}
