import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connectLegacy, connectModern, post, postModern } from "../support/mcp.ts";
import { eventually } from "../support/eventually.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeEntry } from "../support/probe-server.ts";
import { connect, createMachine, EVERYTHING, type Machine } from "../support/runner.ts";
import { RUNTIMES, startWorker, type Worker } from "../support/worker.ts";

for (const runtime of RUNTIMES) {
  describe(`the built worker on ${runtime}`, () => {
    let worker: Worker;
    let machine: Machine;
    let token: string;

    before(async () => {
      worker = await startWorker(runtime);
      machine = await createMachine(EVERYTHING + probeEntry(await probeImage()));
      await connect(machine, worker);
      token = await machine.createToken("everything__*", "probe__*");
    });
    after(async () => {
      await machine[Symbol.asyncDispose]();
      await worker.stop();
    });
    const endpoint = () => ({ origin: worker.origin, token });

    test("answers a tool call of a client that speaks 2026-07-28", async () => {
      const client = await connectModern(endpoint());
      const result = await client.callTool({
        name: "everything__echo",
        arguments: { message: "grüße 🌍" },
      });
      assert.deepEqual(result.content, [{ type: "text", text: "Echo: grüße 🌍" }]);
      await client.close();
    });

    test("answers a tool call of a client that speaks 2025-11-25", async () => {
      const client = await connectLegacy(endpoint());
      const { tools } = await client.listTools();
      assert.ok(tools.some(({ name }) => name === "everything__echo"));
      const result = await client.callTool({
        name: "everything__echo",
        arguments: { message: "hello" },
      });
      assert.deepEqual(result.content, [{ type: "text", text: "Echo: hello" }]);
      await client.close();
    });

    test("streams progress before the result", async () => {
      const client = await connectLegacy(endpoint());
      const seen: number[] = [];
      const result = await client.callTool(
        {
          name: "everything__trigger-long-running-operation",
          arguments: { duration: 1, steps: 4 },
        },
        undefined,
        { onprogress: ({ progress }) => void seen.push(progress) },
      );
      assert.deepEqual(seen, [1, 2, 3, 4]);
      assert.match(JSON.stringify(result.content), /completed/);
      await client.close();
    });

    test("carries a result of 1 MiB byte for byte", async () => {
      const message = "0123456789abcdef".repeat(65_536);
      const params = { name: "everything__echo", arguments: { message } };
      const response = await postModern(endpoint(), "tools/call", { params });
      const body = await response.json() as { result: { content: [{ text: string }] } };
      assert.equal(body.result.content[0].text, `Echo: ${message}`);
    });

    test("is ready while a runner answers", async () => {
      const response = await fetch(`${worker.origin}/readyz`);
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { ready: true, reason: "A runner answers" });
    });

    test("cancels the call at its server when a client of 2026-07-28 leaves", async () => {
      const leave = new AbortController();
      const response = await postModern(endpoint(), "tools/call", {
        params: { name: "probe__wait" },
        signal: leave.signal,
      });
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      const reader = response.body?.getReader();
      await reader?.read();
      leave.abort();
      await eventually("the server is told", async () => {
        const params = { name: "probe__seen" };
        const seen = await postModern(endpoint(), "tools/call", { params });
        return /notifications\/cancelled/.test(await seen.text()) ? true : undefined;
      });
    });

    test("refuses requests without a token and with a wrong one alike", async () => {
      for (
        const authorization of [undefined, "Bearer nonsense", `Bearer ${token}x`, "Basic YTpi"]
      ) {
        const response = await post(endpoint(), "{}", { headers: { authorization } });
        assert.equal(response.status, 401);
        assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
      }
    });

    test("refuses a page of another origin", async () => {
      const response = await post(endpoint(), "{}", {
        headers: { origin: "https://evil.example" },
      });
      assert.equal(response.status, 403);
      assert.equal(response.headers.get("access-control-allow-origin"), null);
    });

    test("answers 413 to a body beyond 4 MiB, and serves the next request", async () => {
      const response = await post(endpoint(), `{"x":"${"x".repeat(4 * 1024 * 1024)}"}`);
      assert.equal(response.status, 413);
      await response.text();
      assert.equal((await fetch(`${worker.origin}/healthz`)).status, 200);
    });

    test("ends the session that a client deletes", async () => {
      const init = await post(
        endpoint(),
        JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "initialize",
          params: {
            protocolVersion: "2025-11-25",
            capabilities: {},
            clientInfo: { name: "t", version: "1" },
          },
        }),
      );
      const session = init.headers.get("mcp-session-id") ?? "";
      assert.match(session, /^[\x21-\x7e]+$/);
      const ping = () =>
        post(endpoint(), '{"jsonrpc":"2.0","id":2,"method":"ping"}', {
          headers: { "mcp-session-id": session },
        });
      assert.equal((await ping()).status, 200);
      const headers = { authorization: `Bearer ${token}`, "mcp-session-id": session };
      const deleted = await fetch(`${worker.origin}/mcp`, { method: "DELETE", headers });
      assert.equal(deleted.status, 204);
      assert.equal((await ping()).status, 404);
    });
  });
}
