import assert from "node:assert/strict";
import { test } from "node:test";
import { originPolicy } from "../../worker/front/origin.ts";
import { callTool, modern, post, startWorkerInMemory } from "../support/home.ts";

const APP = "https://app.example.com";
const origins = originPolicy({ MCP_RUNNER_ORIGINS: APP }, "loopback");

/** What a response lets pages do. */
function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries(
    [...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"),
  );
}

const ASKED = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type,mcp-method,mcp-param-x",
};

test("the preflight of an allowed page is granted what it asks for", async () => {
  const headers = { origin: APP, ...ASKED };
  const response = await startWorkerInMemory({ origins }).request("/mcp", {
    method: "OPTIONS",
    headers,
  });
  assert.equal(response.status, 204);
  assert.deepEqual(corsOf(response), {
    "access-control-allow-origin": APP,
    "access-control-allow-methods": "POST, DELETE",
    "access-control-allow-headers": ASKED["access-control-request-headers"],
    "access-control-expose-headers": "Mcp-Session-Id, WWW-Authenticate, MCP-Protocol-Version",
    "access-control-max-age": "600",
    vary: "Origin",
  });
});

for (const origin of ["https://evil.example", "null", `${APP}.evil.example`, `${APP}:8443`]) {
  test(`the preflight of ${origin} is refused without a word on CORS`, async () => {
    const headers = { origin, ...ASKED };
    const response = await startWorkerInMemory({ origins }).request("/mcp", {
      method: "OPTIONS",
      headers,
    });
    assert.equal(response.status, 403);
    assert.deepEqual(corsOf(response), {});
  });
}

test("an allowed page can read every answer: results, streams, refusals", async () => {
  const worker = startWorkerInMemory({ origins });
  const runner = await worker.runner({ tools: ["notes__read"] });
  const client = await worker.client();
  const headers = { origin: APP };
  const streamed = callTool(client, "notes__read", { headers });
  const { header: { id } } = await runner.next("call");
  worker.clock.advance(750);
  runner.say({ type: "result", id }, "{}");
  const answers: ReadonlyArray<readonly [status: number, response: Response]> = [
    [200, await modern(client, "tools/list", {}, { headers })],
    [200, await streamed],
    [400, await post(client, "nonsense", { headers })],
    [401, await post({ ...client, token: "x" }, "{}", { headers })],
    [404, await modern(client, "nobody/has", {}, { headers })],
    [405, await worker.request("/mcp", { method: "PUT", headers })],
    [413, await post(client, " ".repeat(5_000_000), { headers })],
  ];
  for (const [status, response] of answers) {
    assert.equal(response.status, status);
    assert.equal(response.headers.get("access-control-allow-origin"), APP);
    assert.equal(response.headers.get("vary"), "Origin");
    assert.equal(response.headers.get("access-control-allow-credentials"), null);
  }
});

test("programs, which send no origin, and pages of the worker itself get no CORS headers", async () => {
  const client = await startWorkerInMemory({ origins }).client();
  for (const headers of [{}, { origin: "http://localhost:8787", host: "localhost:8787" }]) {
    const response = await modern(client, "tools/list", {}, { headers });
    assert.equal(response.status, 200);
    assert.deepEqual(corsOf(response), {});
  }
});

test("a page cannot ask for anything but the MCP endpoint", async () => {
  const worker = startWorkerInMemory({ origins });
  for (const path of ["/join", "/api/tokens", "/api/tokens/0123456789ab", "/tunnel"]) {
    const headers = { origin: APP, ...ASKED };
    const response = await worker.request(path, { method: "OPTIONS", headers });
    assert.equal(response.status, 404, path);
  }
});
