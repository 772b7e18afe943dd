import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { startWorker } from "../support/worker.ts";

/** Sends `request` as it is and gives back all that comes until the other end closes. */
function exchange(origin: string, request: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect({ host: hostname, port: Number(port) });
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => answer += text);
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
    socket.setTimeout(10_000, () => socket.destroy(new Error(`No end within 10 s: ${answer}`)));
    socket.write(request);
  });
}

test("a POST that also offers an upgrade is served as a POST on Node", async () => {
  await using worker = await startWorker("node");
  const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
  const lines = [
    "POST /mcp HTTP/1.1",
    `Host: ${new URL(worker.origin).host}`,
    // As Java's HTTP client does with every request over plain HTTP.
    "Connection: Upgrade, HTTP2-Settings, close",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "",
    body,
  ];
  const answer = await exchange(worker.origin, lines.join("\r\n"));
  assert.match(answer, /^HTTP\/1\.1 401 /);
  assert.match(answer, /no bearer token/);
});
