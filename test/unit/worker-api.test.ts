import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { askWorker } from "../../runner/client/worker-api.ts";
import { brokenBody, fakeFetch } from "../support/fake-fetch.ts";

const answer = v.object({ token: v.string() });

function ask() {
  return askWorker({
    method: "POST",
    origin: "https://worker.example",
    path: "/join",
    token: "mcpr_tunnel_x",
    body: { code: "AAAA-BBBB" },
    answer,
  });
}

test("askWorker() sends the token in its header and the body as JSON, and follows no redirect", async () => {
  using fetched = fakeFetch(() => Response.json({ token: "t", later: 1 }));
  assert.deepEqual(await ask(), { token: "t" });
  const [{ url, init } = { url: "", init: {} }] = fetched.requests;
  assert.equal(url, "https://worker.example/join");
  assert.equal(init.redirect, "error");
  assert.equal(init.body, '{"code":"AAAA-BBBB"}');
  assert.equal(new Headers(init.headers).get("authorization"), "Bearer mcpr_tunnel_x");
});

/** A body without end. */
function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
}

const failures: Array<[why: string, response: () => Response, code: string, message: RegExp]> = [
  [
    "a refusal",
    () => Response.json({ error: { message: "Cannot join with this code" } }, { status: 403 }),
    "tunnel_refused",
    /^Cannot join with this code$/,
  ],
  [
    "a refusal with words that move the cursor, at length",
    () => Response.json({ error: { message: `\u001b[2J\n${"x".repeat(9_999)}` } }, { status: 403 }),
    "tunnel_refused",
    /^\\x1b\[2J\\x0ax{1,500}$/,
  ],
  [
    "an answer of another kind",
    () => Response.json({ token: 7 }),
    "tunnel_refused",
    /^https:\/\/worker\.example is no mcp-runner worker$/,
  ],
  [
    "a page",
    () => new Response("<html>"),
    "tunnel_refused",
    /is no mcp-runner worker$/,
  ],
  [
    "an answer without end",
    () => new Response(endless()),
    "tunnel_refused",
    /no mcp-runner worker$/,
  ],
  [
    "an answer that breaks off",
    () => new Response(brokenBody('{"token":')),
    "tunnel_protocol",
    /^Cannot reach a worker at/,
  ],
];

for (const [why, response, code, message] of failures) {
  test(`askWorker() fails with ${code} after ${why}`, async () => {
    using _ = fakeFetch(response);
    await assert.rejects(ask(), { name: "GatewayError", code, message });
  });
}

test("askWorker() says that nobody answers", async () => {
  using _ = fakeFetch(() => Promise.reject(new TypeError("fetch failed")));
  await assert.rejects(ask(), {
    code: "tunnel_protocol",
    message:
      "Cannot reach a worker at https://worker.example: check the URL, and that the worker is running",
  });
});
