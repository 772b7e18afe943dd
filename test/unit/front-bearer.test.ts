import assert from "node:assert/strict";
import { test } from "node:test";
import { createClientToken } from "../../worker/access/ledger.ts";
import {
  type Client,
  messageOf,
  modern,
  startWorkerInMemory,
  upgradeHeaders,
} from "../support/home.ts";

/** Lists tools with this header in place of the client's own. */
function askWith(client: Client, authorization: string | undefined): Promise<Response> {
  return modern(client, "tools/list", {}, { headers: { authorization } });
}

const good: ReadonlyArray<readonly [why: string, header: (token: string) => string]> = [
  ["as RFC 6750 writes it", (token) => `Bearer ${token}`],
  ["with the scheme in lower case", (token) => `bearer ${token}`],
  ["with the scheme in upper case", (token) => `BEARER ${token}`],
  ["with more space", (token) => `Bearer    ${token}`],
  ["with space around it", (token) => `  Bearer ${token} \t`],
];

for (const [why, header] of good) {
  test(`a token ${why} lets its client in`, async () => {
    const client = await startWorkerInMemory().client();
    assert.equal((await askWith(client, header(client.token))).status, 200);
  });
}

const bad: ReadonlyArray<readonly [why: string, header: (token: string) => string | undefined]> = [
  ["no header", () => undefined],
  ["an empty header", () => ""],
  ["a scheme alone", () => "Bearer"],
  ["a scheme and space", () => "Bearer "],
  ["a token alone", (token) => token],
  ["another scheme", (token) => `Basic ${btoa(`x:${token}`)}`],
  ["no space", (token) => `Bearer${token}`],
  ["a tab", (token) => `Bearer\t${token}`],
  ["a colon", (token) => `Bearer: ${token}`],
  ["quotes", (token) => `Bearer "${token}"`],
  ["a parameter", (token) => `Bearer token=${token}`],
  ["two tokens", (token) => `Bearer ${token} ${token}`],
  ["two headers", (token) => `Bearer ${token}, Bearer ${token}`],
  ["a cut token", (token) => `Bearer ${token.slice(0, -1)}`],
  ["a longer token", (token) => `Bearer ${token}A`],
  ["a token in upper case", (token) => `Bearer ${token.toUpperCase()}`],
  ["the token's secret alone", (token) => `Bearer ${token.slice("mcpr_client_".length)}`],
  ["the token as another kind", (token) => `Bearer ${token.replace("client", "tunnel")}`],
  ["bytes beyond ASCII", (token) => `Bearer ${token}\u00e9`],
  ["a control character", (token) => `Bearer ${token}\u0001`],
  ["an escape sequence", (token) => `Bearer \u001b[2J${token}`],
  ["a made-up token", () => `Bearer mcpr_client_${"A".repeat(43)}`],
  ["a token of 1 MB", () => `Bearer ${"A".repeat(1_000_000)}`],
  ["a long run of space", () => `Bearer ${" ".repeat(500_000)}!`],
];

const REFUSAL = {
  status: 401,
  challenge: 'Bearer realm="mcp-runner"',
  cache: "no-store",
  type: "application/json",
};

for (const [why, header] of bad) {
  test(`${why} is answered 401, whether a client or a runner asks`, async () => {
    const worker = startWorkerInMemory();
    const client = await worker.client();
    const authorization = header(client.token);
    const headers = authorization === undefined ? {} : { authorization };
    for (
      const response of [
        await askWith(client, authorization),
        await worker.request("/tunnel", {
          headers: { ...upgradeHeaders(""), ...headers, authorization: authorization ?? "" },
        }),
        await worker.request("/api/tokens", { headers }),
        await worker.request("/join", { method: "DELETE", headers }),
      ]
    ) {
      const { status, headers: got } = response;
      assert.deepEqual({
        status,
        challenge: got.get("www-authenticate"),
        cache: got.get("cache-control"),
        type: got.get("content-type"),
      }, REFUSAL);
      const { error, ...rest } = await messageOf(response);
      assert.deepEqual([error?.code, error?.data], [-32600, { code: "unauthorized" }]);
      assert.deepEqual(rest, { jsonrpc: "2.0" });
      assert.doesNotMatch(error?.message ?? "", /mcpr_|AAAA/, "the token is not repeated");
    }
    assert.doesNotMatch(JSON.stringify(worker.logged), /mcpr_|AAAA/);
  });
}

test("tokens that are unknown, revoked, expired or of a runner are refused alike, byte for byte", async () => {
  const worker = startWorkerInMemory();
  const [gone, owner] = [await worker.client(), await worker.tunnelToken()];
  const now = () => worker.clock.now();
  const expired = await createClientToken(worker.store, {
    tunnel: "default",
    name: "ci",
    tools: ["*"],
    expiresAt: now() + 1_000,
    now,
  });
  const revoked = await worker.request(`/api/tokens/${gone.id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${owner.token}` },
  });
  assert.equal(revoked.status, 200);
  worker.clock.advance(1_000);
  const tokens = [`mcpr_client_${"A".repeat(43)}`, gone.token, expired.bearer, owner.token];
  const answers = tokens.map(async (token) => {
    const response = await askWith(gone, `Bearer ${token}`);
    return [response.status, [...response.headers], await response.text()];
  });
  const [first, ...others] = await Promise.all(answers);
  assert.equal(first?.[0], 401);
  for (const other of others) assert.deepEqual(other, first);
});

test("a token in the query lets nobody in", async () => {
  const { token, worker } = await startWorkerInMemory().client();
  for (const name of ["access_token", "token", "authorization"]) {
    const path = `/mcp?${name}=${token}`;
    const headers = { "content-type": "application/json" };
    const response = await worker.request(path, { method: "POST", headers, body: "{}" });
    assert.equal(response.status, 401);
    assert.doesNotMatch(await response.text(), /mcpr_/);
  }
});

test("who is not let in has no body read", async () => {
  const worker = startWorkerInMemory();
  let pulled = 0;
  const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
  const init = { method: "POST", body, duplex: "half", headers: { "content-type": "x" } };
  assert.equal((await worker.request("/mcp", init as RequestInit)).status, 401);
  assert.equal(pulled, 0);
});

test("a client's token works at the MCP endpoint of its own tunnel alone", async () => {
  const worker = startWorkerInMemory();
  await worker.runner({ tools: ["notes__read"] });
  const wanted = { tunnel: "other", name: "ci", tools: ["*"], now: () => worker.clock.now() };
  const { bearer, token } = await createClientToken(worker.store, wanted);
  const response = await askWith({ id: token.id, token: bearer, worker }, `Bearer ${bearer}`);
  assert.deepEqual((await messageOf(response)).result?.["tools"], []);
});
