import assert from "node:assert/strict";
import { test } from "node:test";
import {
  connectTo,
  eventOf,
  modern,
  MODERN_META,
  sendEvents,
  sendJson,
  serveHttp,
} from "../support/upstream.ts";
import { eventually } from "../support/eventually.ts";

test("a modern request is one POST that repeats in its headers what it asks for", async (t) => {
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    sendJson(response, { jsonrpc: "2.0", id, result: {} });
  });
  const far = await connectTo(t, `${site.url}?a=b`, { headers: { "X-Key": "k", Accept: "no" } });
  await far.ask(modern(7, "tools/call", { name: "grüß", arguments: {} }));
  const [got] = site.got;
  assert.equal(`${got?.method} ${got?.path}`, "POST /mcp?a=b");
  assert.deepEqual(got?.message, {
    jsonrpc: "2.0",
    ...modern(7, "tools/call", { name: "grüß", arguments: {} }),
  });
  const { headers } = got;
  assert.equal(headers["mcp-protocol-version"], "2026-07-28");
  assert.equal(headers["mcp-method"], "tools/call");
  assert.equal(headers["mcp-name"], "=?base64?Z3LDvMOf?=");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["accept"], "application/json, text/event-stream");
  assert.equal(headers["x-key"], "k");
  assert.equal(headers["mcp-session-id"], undefined);
});

test("an answer of JSON comes as one line with every byte but its line breaks", async (t) => {
  const body = '{"jsonrpc":"2.0",\r\n "id":1,\n "result":{"n":1.50e+3,"big":12345678901234567890,' +
    '"s":"\\u00fc\\/ü\\n"}}\n';
  const site = await serveHttp(t, (_got, response) => {
    response.writeHead(200, { "content-type": "application/json; charset=utf-8" });
    response.end(body);
  });
  const far = await connectTo(t, site.url);
  await far.ask(modern(1, "x"));
  assert.deepEqual(far.lines, [body.replace(/[\r\n]/g, " ")]);
});

test("an answer of events comes line by line, the notifications before the result", async (t) => {
  const site = await serveHttp(t, (_got, response) => {
    sendEvents(response);
    response.write(': hello\n\nevent: other\ndata: {"no":1}\n\n');
    response.write(
      'data: {"jsonrpc":"2.0","method":"notifications/message",\ndata: "params":{}}\n\n',
    );
    response.end(eventOf({ id: 1, result: { text: "ü" } }));
  });
  const far = await connectTo(t, site.url);
  await far.ask(modern(1, "x"));
  assert.deepEqual(far.lines, [
    '{"jsonrpc":"2.0","method":"notifications/message", "params":{}}',
    '{"jsonrpc":"2.0","id":1,"result":{"text":"ü"}}',
  ]);
});

test("a stream that stays open after the result does not keep its request in flight", async (t) => {
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    sendEvents(response, { id, result: {} });
  });
  const far = await connectTo(t, site.url);
  await far.ask(modern(1, "x"));
  await eventually(
    "the connection is closed",
    () => Promise.resolve(site.got[0]?.aborted || undefined),
  );
  assert.equal(far.lines.length, 1);
});

test("cancelling a modern request closes its connection and posts nothing", async (t) => {
  const site = await serveHttp(t, ({ message: { id, method } }, response) => {
    sendEvents(response, { method: "notifications/progress", params: {} });
    if (method === "last") response.end(eventOf({ id, result: {} }));
  });
  const far = await connectTo(t, site.url);
  far.write(modern(1, "slow"));
  await far.heard("progress", ({ method }) => method === "notifications/progress");
  far.write({ method: "notifications/cancelled", params: { requestId: 1, reason: "enough" } });
  await eventually(
    "the connection is closed",
    () => Promise.resolve(site.got[0]?.aborted || undefined),
  );
  // Nobody waits for the first any more: no error comes for it either.
  await far.ask(modern(2, "last"));
  assert.equal(far.lines.filter((line) => line.includes('"id":1')).length, 0);
  assert.deepEqual(site.got.map(({ message }) => message.method), ["slow", "last"]);
});

test("a request cancelled before its answer has begun is closed as well", async (t) => {
  const site = await serveHttp(t, () => {});
  const far = await connectTo(t, site.url);
  far.write(modern(1, "slow"));
  await eventually("it has arrived", () => Promise.resolve(site.got[0]));
  far.write({ method: "notifications/cancelled", params: { requestId: 1 } });
  await eventually(
    "the connection is closed",
    () => Promise.resolve(site.got[0]?.aborted || undefined),
  );
  assert.deepEqual(far.lines, []);
});

test("subscriptions/listen is one POST whose stream stays open", async (t) => {
  let say: (message: object) => void = () => {};
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    sendEvents(response, { method: "notifications/subscriptions/acknowledged" });
    say = (message) => void response.write(eventOf(message));
    response.on("close", () => say = () => {});
    assert.equal(id, 1);
  });
  const far = await connectTo(t, site.url);
  far.write(modern(1, "subscriptions/listen", { notifications: { toolsListChanged: true } }));
  await far.heard("it is open", ({ method }) => method?.endsWith("acknowledged") === true);
  say({ method: "notifications/tools/list_changed" });
  await far.heard("news", ({ method }) => method === "notifications/tools/list_changed");
  say({ id: 1, result: { resultType: "complete" } });
  await far.heard("its end", ({ id }) => id === 1);
  assert.equal(site.got.length, 1);
});

test("a refusal gives the request the JSON-RPC error of its body", async (t) => {
  const error = '{"code": -32022,"message":"no","data":{"supported":["2030-01-01"]}}';
  const site = await serveHttp(t, (_got, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(`{"jsonrpc":"2.0",\n"id":null,"error":${error}}`);
  });
  const far = await connectTo(t, site.url);
  await far.ask(modern(1, "server/discover"));
  assert.deepEqual(far.lines, [`{"jsonrpc":"2.0","id":1,"error":${error}}`]);
});

const REFUSALS: readonly (readonly [status: number, code: number, message: RegExp])[] = [
  [400, 1003, /^Cannot use upstream 127\.0\.0\.1:\d+: it answered with HTTP 400$/],
  [404, 1003, /no MCP endpoint at its URL \(HTTP 404\), check the URL$/],
  [405, 1003, /no MCP endpoint at its URL \(HTTP 405\), check the URL$/],
  [413, 1003, /too large for it \(HTTP 413\)$/],
  [429, 1007, /takes no more requests now \(HTTP 429\): try again later$/],
  [500, 1004, /has lost the request: it answered with HTTP 500$/],
];

for (const [status, code, message] of REFUSALS) {
  test(`HTTP ${status} without a JSON-RPC error gives the request one of ours`, async (t) => {
    const site = await serveHttp(t, (_got, response) => {
      response.writeHead(status, { "content-type": "text/html" });
      response.end("<p>secret stack</p>");
    });
    const far = await connectTo(t, site.url);
    const { error } = await far.ask(modern(1, "x"));
    assert.equal(error?.code, code);
    assert.match(error.message, message);
    assert.doesNotMatch(far.lines.join(), /stack/);
  });
}

for (const status of [401, 403]) {
  test(`HTTP ${status} says that the credentials are refused, and never repeats them`, async (t) => {
    const site = await serveHttp(t, ({ headers }, response) => {
      const message = `Bad ${String(headers["authorization"])}`;
      sendJson(response, { jsonrpc: "2.0", id: 1, error: { code: -32001, message } }, status);
    });
    const far = await connectTo(t, site.url, { headers: { Authorization: "Bearer s3cr3t-t0ken" } });
    const { error } = await far.ask(modern(1, "x"));
    assert.match(error?.message ?? "", /^Cannot use upstream .* refuses the credentials/);
    assert.equal(error?.data?.["executed"], "no");
    assert.doesNotMatch([...far.lines, ...far.stderr].join(), /s3cr3t/);
  });
}

test("an error that repeats a credential is not passed on", async (t) => {
  const site = await serveHttp(t, (_got, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.end('{"error":{"code":1,"message":"key k3y\\u002dk3y-k3y is bad"},"jsonrpc":"2.0"}');
  });
  const far = await connectTo(t, site.url, { headers: { "x-api-key": "k3y-k3y-k3y" } });
  const { error } = await far.ask(modern(1, "x"));
  assert.match(error?.message ?? "", /it answered with HTTP 400$/);
});

for (const mediaType of ["application/json", "text/event-stream"]) {
  test(`nor is one in an answer of ${mediaType} that went well`, async (t) => {
    const body =
      '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"key k3y\\u002dk3y-k3y is bad"}}';
    const site = await serveHttp(t, (_got, response) => {
      response.writeHead(200, { "content-type": mediaType });
      response.end(mediaType === "application/json" ? body : `data: ${body}\n\n`);
    });
    const far = await connectTo(t, site.url, { headers: { "x-api-key": "k3y-k3y-k3y" } });
    const { error } = await far.ask(modern(1, "x"));
    assert.match(error?.message ?? "", /its error repeats a credential/);
    assert.equal(error?.data?.["executed"], "unknown");
    assert.equal(far.lines.length, 1);
  });
}

test("nor is one that repeats what the URL keeps secret", async (t) => {
  const site = await serveHttp(t, ({ path }, response) => {
    const error = { code: 1, message: `Bad ${path}` };
    sendJson(response, { jsonrpc: "2.0", id: 1, error });
  });
  const far = await connectTo(t, `${site.url}?key=k3y-k3y-k3y`);
  const { error } = await far.ask(modern(1, "x"));
  assert.match(error?.message ?? "", /its error repeats a credential/);
});

test("a notification that is refused goes to the operator", async (t) => {
  const site = await serveHttp(t, (_got, response) => void response.writeHead(400).end());
  const far = await connectTo(t, site.url);
  far.write({ method: "notifications/x", params: { _meta: MODERN_META } });
  const line = await eventually("a line", () => Promise.resolve(far.stderr[0]));
  assert.match(line, /^127\.0\.0\.1:\d+ refused notifications\/x: HTTP 400$/);
  assert.deepEqual(far.lines, []);
});

test("a stream without a result is a request that may have been carried out", async (t) => {
  const site = await serveHttp(t, (_got, response) => {
    sendEvents(response, { method: "notifications/progress" });
    response.end("id: 1\ndata: half");
  });
  const far = await connectTo(t, site.url);
  const { error } = await far.ask(modern(1, "x"));
  assert.deepEqual([error?.code, error?.data?.["executed"]], [1004, "unknown"]);
  assert.match(error?.message ?? "", /it ended its answer before the result$/);
  assert.equal(site.got.length, 1, "it was not asked again: these streams cannot be resumed");
});

for (const [what, type] of [["JSON", "application/json"], ["events", "text/event-stream"]]) {
  test(`an answer of ${what} that breaks off may have been carried out`, async (t) => {
    const site = await serveHttp(t, (_got, response) => {
      response.writeHead(200, { "content-type": type });
      response.write("{", () => response.destroy());
    });
    const far = await connectTo(t, site.url);
    const { error } = await far.ask(modern(1, "x"));
    assert.deepEqual([error?.code, error?.data?.["executed"]], [1004, "unknown"]);
  });
}

test("a connection that closes without an answer may have delivered the request", async (t) => {
  const site = await serveHttp(t, (_got, response) => void response.destroy());
  const far = await connectTo(t, site.url);
  const { error } = await far.ask(modern(1, "x"));
  assert.deepEqual([error?.code, error?.data?.["executed"]], [1004, "unknown"]);
  assert.equal(site.got.length, 1, "it is delivered once or not at all");
});

test("an upstream that is gone gives each request an error, and did not get it", async (t) => {
  const site = await serveHttp(t, () => {});
  const far = await connectTo(t, site.url);
  await site.close();
  const { error } = await far.ask(modern(1, "x"));
  assert.deepEqual([error?.code, error?.data?.["executed"]], [1003, "no"]);
  assert.match(
    error?.message ?? "",
    /^Cannot reach upstream 127\.0\.0\.1:\d+: nothing listens there/,
  );
});

test("a request that an upstream sends on a modern stream is never answered", async (t) => {
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    sendEvents(response, { id: "q", method: "roots/list" }, { id, result: {} });
    response.end();
  });
  const far = await connectTo(t, site.url);
  await far.ask(modern(1, "x"));
  far.write({ id: "q", result: { roots: [] } });
  await far.ask(modern(2, "y"));
  assert.deepEqual(site.got.map(({ message }) => message.method), ["x", "y"]);
});

test("more requests than a runner has calls are refused at once", async (t) => {
  const site = await serveHttp(t, () => {});
  const far = await connectTo(t, site.url);
  for (let id = 1; id <= 256; id++) far.write(modern(id, "x"));
  assert.throws(() => far.write(modern(257, "x")), { code: "overloaded" });
  far.write({ method: "notifications/cancelled", params: { requestId: 1 } });
  far.write(modern(258, "x"));
});

test("what has been stopped closes its requests and takes no more lines", async (t) => {
  const site = await serveHttp(t, (_got, response) => sendEvents(response));
  const far = await connectTo(t, site.url);
  far.write(modern(1, "x"));
  await eventually("it has arrived", () => Promise.resolve(site.got[0]));
  await far.process.stop(1_000);
  assert.deepEqual(await far.process.exited, { code: null, oomKilled: false, reason: "closed" });
  await eventually(
    "the connection is closed",
    () => Promise.resolve(site.got[0]?.aborted || undefined),
  );
  assert.throws(() => far.write(modern(2, "x")), { code: "server_failed" });
  assert.deepEqual(far.lines, []);
});
