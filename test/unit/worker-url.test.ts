import assert from "node:assert/strict";
import { test } from "node:test";
import { workerOrigin } from "../../runner/cli/worker-url.ts";

for (
  const url of [
    "http://edge.example.com",
    "http://192.168.1.5:8787",
    "http://127.0.0.1.example.com",
    "http://localhost.example.com:8787",
    "http://localhost@edge.example.com",
    "http://0.0.0.0:8787",
    "ws://127.0.0.1:8787",
    "edge.example.com",
  ]
) {
  test(`no tunnel token travels to ${url}`, () => {
    assert.throws(() => workerOrigin(url), { code: "usage" });
  });
}

for (
  const [url, origin] of [
    ["https://edge.example.com/mcp", "https://edge.example.com"],
    ["http://127.0.0.1:8787", "http://127.0.0.1:8787"],
    ["http://LOCALHOST:8787/mcp", "http://localhost:8787"],
    ["http://[::1]:8787", "http://[::1]:8787"],
  ] as const
) {
  test(`${url} is a worker at ${origin}`, () => assert.equal(workerOrigin(url), origin));
}
