import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { startProxy } from "../conformance/proxy.ts";

/** A server that answers with the request's headers, or begins a stream that it never ends. */
async function startTarget() {
  let left: () => void;
  const abandoned = new Promise<void>((resolve) => left = resolve);
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === "/stream") {
      outgoing.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      outgoing.on("close", () => left());
      incoming.on("data", (data: Buffer) => outgoing.write(`data: ${data.toString()}\n\n`));
      return;
    }
    outgoing.end(JSON.stringify(incoming.rawHeaders));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    abandoned,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

test("the proxy adds the token and leaves Host and Origin as they are", async () => {
  await using target = await startTarget();
  await using proxy = await startProxy({ origin: target.origin, token: "secret" });
  const headers = { Host: "evil.example.com", Origin: "http://evil.example.com" };
  const text = await new Promise<string>((resolve, reject) => {
    request(proxy.origin, { headers }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (part: string) => body += part);
      answer.on("end", () => resolve(body));
    }).on("error", reject).end();
  });
  const seen = JSON.parse(text) as string[];
  const value = (name: string) => seen[seen.indexOf(name) + 1];
  assert.equal(seen.filter((it) => it.toLowerCase() === "host").length, 1);
  assert.equal(value("Host"), "evil.example.com");
  assert.equal(value("Origin"), "http://evil.example.com");
  assert.equal(value("Authorization"), "Bearer secret");
});

test("the proxy passes a stream on as it comes, and its end by the client", async () => {
  await using target = await startTarget();
  await using proxy = await startProxy({ origin: target.origin, token: "secret" });
  const client = new AbortController();
  const answer = await fetch(`${proxy.origin}/stream`, {
    method: "POST",
    body: "hello",
    signal: client.signal,
  });
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  const reader = answer.body?.getReader();
  const { value } = await reader?.read() ?? {};
  assert.equal(new TextDecoder().decode(value), "data: hello\n\n");
  client.abort();
  await target.abandoned;
});

test("the proxy says so when the worker is gone", async () => {
  await using proxy = await startProxy({ origin: "http://127.0.0.1:9", token: "secret" });
  assert.equal((await fetch(proxy.origin)).status, 502);
});
