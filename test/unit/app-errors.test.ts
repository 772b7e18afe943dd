import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf, modern, startWorkerInMemory } from "../support/home.ts";

const nowhere: ReadonlyArray<readonly [method: string, path: string]> = [
  ["GET", "/nowhere"],
  ["POST", "/"],
  ["GET", "/join"],
  ["PUT", "/api/tokens"],
  ["GET", "/mcp/"],
  ["POST", "/MCP"],
  ["GET", "/mcp/../x"],
  ["GET", "/%2e%2e/%2e%2e/etc/passwd"],
  ["GET", "/.env"],
  ["GET", "/%"],
  ["GET", "/<script>alert(1)</script>"],
  ["GET", `/${"x".repeat(10_000)}`],
];

for (const [method, path] of nowhere) {
  test(`${method} ${path.slice(0, 40)} is answered 404 in JSON that repeats nothing`, async () => {
    const response = await startWorkerInMemory().request(path, { method });
    assert.equal(response.status, 404);
    assert.equal(response.headers.get("content-type"), "application/json");
    const { error, ...rest } = await messageOf(response);
    assert.deepEqual(rest, { jsonrpc: "2.0" });
    assert.deepEqual([error?.code, error?.data], [-32600, { code: "not_found" }]);
    assert.equal(error?.message, "Nothing is served here: the MCP endpoint is /mcp");
  });
}

test("the worker says that it lives without a token and without asking the store", async () => {
  const worker = startWorkerInMemory();
  const health = await worker.request("/healthz");
  assert.deepEqual([health.status, await health.json()], [200, { ok: true }]);
  const root = await worker.request("/");
  assert.match(await root.text(), /^mcp-runner .+: the MCP endpoint is \/mcp\n$/);
  assert.deepEqual(worker.store.calls, { get: 0, list: 0, commit: 0 });
});

for (const what of ["get", "list", "commit"] as const) {
  test(`a store that fails to ${what} tells the client nothing and the log everything`, async () => {
    const worker = startWorkerInMemory();
    const client = await worker.client();
    const fail = () => Promise.reject(new Error("/var/secret.db: disk image is malformed"));
    Object.assign(worker.store, { [what]: fail });
    const response = await modern(client, "tools/list");
    if (what === "commit") {
      assert.equal(response.status, 200, "lists need no commit");
      return;
    }
    assert.equal(response.status, 500);
    const { error } = await messageOf(response);
    assert.equal(error?.code, -32603);
    assert.equal(error?.message, "Cannot complete the request: internal error");
    assert.deepEqual(error?.data, { code: "internal" });
    assert.match(JSON.stringify(worker.logged), /disk image is malformed/);
    assert.doesNotMatch(JSON.stringify(worker.logged), /mcpr_client_/);
  });
}

test("after a failure of the store, the next request is served", async () => {
  const worker = startWorkerInMemory();
  const client = await worker.client();
  const { list } = worker.store;
  worker.store.list = () => Promise.reject(new Error("busy"));
  assert.equal((await modern(client, "tools/list")).status, 500);
  worker.store.list = list;
  assert.equal((await modern(client, "tools/list")).status, 200);
});
