import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOrigin, originPolicy } from "../../worker/front/origin.ts";
import { messageOf, modern, startWorkerInMemory } from "../support/home.ts";

const PUBLIC = { MCP_RUNNER_URL: "https://edge.example.com/ignored" };

/** Asks for a list with these headers; the status and our name of the refusal. */
async function ask(
  headers: Record<string, string>,
  env: Record<string, string> = {},
  routing: "loopback" | "platform" = "loopback",
): Promise<readonly [status: number, code: unknown]> {
  const worker = startWorkerInMemory({ origins: originPolicy(env, routing) });
  const response = await modern(await worker.client(), "tools/list", {}, { headers });
  const { error } = await messageOf(response);
  return [response.status, error?.data["code"]];
}

const OK = [200, undefined];
const HOST = [403, "forbidden_host"];
const ORIGIN = [403, "forbidden_origin"];

const hosts: ReadonlyArray<readonly [host: string, loopback: boolean, published: boolean]> = [
  ["localhost", true, true],
  ["localhost:8787", true, true],
  ["LocalHost:1", true, true],
  ["127.0.0.1", true, true],
  ["127.0.0.1:65535", true, true],
  ["[::1]", true, true],
  ["[::1]:8787", true, true],
  ["edge.example.com", false, true],
  ["EDGE.example.com", false, true],
  ["edge.example.com:443", false, true],
  ["edge.example.com:8443", false, false],
  ["edge.example.com.", false, false],
  ["evil.example", false, false],
  ["evil.example:8787", false, false],
  ["localhost.evil.example", false, false],
  ["evil-localhost", false, false],
  ["xlocalhost:8787", false, false],
  ["localhost.", false, false],
  ["127.0.0.1.evil.example", false, false],
  ["127.0.0.2", false, false],
  ["127.1", false, false],
  ["0.0.0.0:8787", false, false],
  ["2130706433", false, false],
  ["[::]", false, false],
  ["[::ffff:127.0.0.1]", false, false],
  ["[::1]evil", false, false],
  ["::1", false, false],
  ["localhost:8787@evil.example", false, false],
  ["localhost:", false, false],
  ["localhost:123456", false, false],
  ["localhost, evil.example", false, false],
  ["notedge.example.com", false, false],
  ["edge.example.com.evil.example", false, false],
  ["", false, false],
];

for (const [host, loopback, published] of hosts) {
  test(`Host "${host}" is ${published ? "" : "not "}served`, async () => {
    assert.deepEqual(await ask({ host }), loopback ? OK : HOST);
    assert.deepEqual(await ask({ host }, PUBLIC), published ? OK : HOST);
  });
}

test("where the platform routes by host, every host is served", async () => {
  assert.deepEqual(await ask({ host: "any.example" }, {}, "platform"), OK);
});

test("a URL of another host does not pass behind a good Host header", async () => {
  const worker = startWorkerInMemory();
  const headers = { host: "localhost:8787" };
  assert.equal((await worker.request("http://evil.example/healthz", { headers })).status, 403);
  assert.equal((await worker.request("http://127.0.0.1:8787/healthz", { headers })).status, 200);
});

test("a URL that is none is refused, wherever the worker runs", () => {
  for (const routing of ["loopback", "platform"] as const) {
    for (const host of ["ev il", "[::1", "%"]) {
      const request = { url: `http://${host}//healthz`, headers: new Headers() };
      assert.throws(() => checkOrigin(request as Request, originPolicy({}, routing)), {
        code: "forbidden_host",
      });
    }
  }
});

const ALLOWED = {
  ...PUBLIC,
  MCP_RUNNER_ORIGINS: "https://app.example.com, HTTPS://Two.example:8443/ ,,",
};

const origins: ReadonlyArray<readonly [origin: string, own: boolean, allowed: boolean]> = [
  ["https://edge.example.com", true, true],
  ["http://edge.example.com", true, true],
  ["https://app.example.com", false, true],
  ["https://two.example:8443", false, true],
  ["null", false, false],
  ["", false, false],
  ["https://evil.example", false, false],
  ["https://edge.example.com.evil.example", false, false],
  ["https://evil-edge.example.com", false, false],
  ["https://evil.example/edge.example.com", false, false],
  ["https://edge.example.com:8443", false, false],
  ["https://edge.example.com@evil.example", false, false],
  ["https://edge.example.com/", false, false],
  ["https://edge.example.com, https://evil.example", false, false],
  ["edge.example.com", false, false],
  ["//edge.example.com", false, false],
  ["ftp://edge.example.com", false, false],
  ["file://", false, false],
  ["chrome-extension://abcdef", false, false],
  ["https://app.example.com.evil.example", false, false],
  ["https://evil-app.example.com", false, false],
  ["https://sub.app.example.com", false, false],
  ["https://app.example.com:8443", false, false],
  ["http://app.example.com", false, false],
  ["https://APP.example.com", false, false],
  ["https://two.example", false, false],
  ["http://localhost:8787", false, false],
];

for (const [origin, own, allowed] of origins) {
  test(`Origin "${origin}" is ${allowed ? "" : "not "}served`, async () => {
    const headers = { host: "edge.example.com", origin };
    assert.deepEqual(await ask(headers, PUBLIC), own ? OK : ORIGIN);
    assert.deepEqual(await ask(headers, ALLOWED), allowed ? OK : ORIGIN);
  });
}

for (
  const [host, origin, served] of [
    ["localhost:8787", "http://localhost:8787", true],
    ["127.0.0.1:8787", "http://127.0.0.1:8787", true],
    ["[::1]:8787", "http://[::1]:8787", true],
    ["localhost:8787", "http://localhost:3000", false],
    ["localhost:8787", "http://127.0.0.1:8787", false],
    ["localhost:8787", "http://localhost", false],
    ["localhost:8787", "https://evil.example", false],
    ["localhost", "http://localhost", true],
  ] as const
) {
  test(`a page of ${origin} is ${served ? "" : "not "}served at ${host}`, async () => {
    assert.deepEqual(await ask({ host, origin }), served ? OK : ORIGIN);
  });
}

test("foreign hosts and origins are refused on every path, before anything else", async () => {
  const worker = startWorkerInMemory();
  for (
    const path of ["/", "/healthz", "/readyz", "/mcp", "/tunnel", "/join", "/api/tokens", "/x"]
  ) {
    for (const method of ["GET", "POST", "DELETE", "OPTIONS", "PUT"]) {
      for (const headers of [{ host: "evil.example" }, { origin: "https://evil.example" }]) {
        const body = method === "POST" ? "{}" : null;
        const response = await worker.request(path, { method, headers, body });
        assert.equal(response.status, 403, `${method} ${path}`);
      }
    }
  }
  assert.deepEqual(worker.store.calls, { get: 0, list: 0, commit: 0 });
});

for (
  const [name, value] of [
    ["MCP_RUNNER_URL", "edge.example.com"],
    ["MCP_RUNNER_URL", "not a url"],
    ["MCP_RUNNER_ORIGINS", "app.example.com"],
    ["MCP_RUNNER_ORIGINS", "https://a.example, *"],
    ["MCP_RUNNER_ORIGINS", "null"],
  ] as const
) {
  test(`${name}="${value}" is refused at the start, with what it must be`, () => {
    assert.throws(() => originPolicy({ [name]: value }, "loopback"), {
      name: "GatewayError",
      code: "usage",
      message: new RegExp(`^Cannot use ${name}: `),
    });
  });
}

test("empty settings are none", () => {
  const policy = originPolicy({ MCP_RUNNER_URL: "", MCP_RUNNER_ORIGINS: " , " }, "loopback");
  assert.deepEqual([policy.hosts?.size, policy.origins.size], [0, 0]);
});
