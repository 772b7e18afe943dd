import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldBytes } from "../../runner/upstream/held-bytes.ts";
import {
  connectTo,
  eventOf,
  type Far,
  type Handler,
  modern,
  sendJson,
  serveHttp,
} from "../support/upstream.ts";
import { eventually } from "../support/eventually.ts";

/** What a request gets from an upstream that does `handler`. */
async function refusedBy(
  t: Parameters<typeof serveHttp>[0],
  handler: Handler,
): Promise<
  { readonly far: Far; readonly code: number; readonly message: string; readonly executed: unknown }
> {
  const site = await serveHttp(t, handler);
  const far = await connectTo(t, site.url, { headers: { authorization: "Bearer s3cr3t-t0ken" } });
  const { error } = await far.ask(modern(1, "tools/call", { name: "a" }));
  return {
    far,
    code: error?.code ?? 0,
    message: error?.message ?? "",
    executed: error?.data?.["executed"],
  };
}

for (const type of ["application/json", "text/event-stream"]) {
  test(`an answer of ${type} without end is cut off`, async (t) => {
    const piece = "x".repeat(1024 * 1024);
    let closed = false;
    const { code, executed } = await refusedBy(t, (_got, response) => {
      response.writeHead(200, { "content-type": type });
      response.write('data: {"');
      const more = (): void => {
        // Until the connection is full, or gone.
        while (!response.destroyed && response.write(piece));
      };
      response.on("drain", more);
      response.on("close", () => closed = true);
      more();
    });
    assert.deepEqual([code, executed], [1006, "yes"]);
    await eventually("the connection is closed", () => Promise.resolve(closed || undefined));
  });
}

test("HeldBytes refuses what all answers together must not take, until some is given back", () => {
  const held = new HeldBytes();
  const [first, second] = [held.open(), held.open()];
  first.set(100 * 1024 * 1024);
  second.set(28 * 1024 * 1024);
  assert.throws(() => second.set(28 * 1024 * 1024 + 1), { code: "result_too_large" });
  first.set(1);
  second.set(100 * 1024 * 1024);
  second.close();
  first.set(128 * 1024 * 1024);
});

test("headers without end are refused", async (t) => {
  const { code, executed } = await refusedBy(t, (_got, response) => {
    for (let n = 0; n < 40; n++) response.setHeader(`x-${n}`, "x".repeat(1_000));
    sendJson(response, {});
  });
  assert.deepEqual([code, executed], [1004, "unknown"]);
});

test("a redirect to another origin is not followed", async (t) => {
  const foreign = await serveHttp(t, (_got, response) => sendJson(response, {}));
  for (const status of [307, 308]) {
    const { code, message, executed } = await refusedBy(t, (_got, response) => {
      response.writeHead(status, { location: `${foreign.origin}/mcp` }).end();
    });
    assert.deepEqual([code, executed], [1003, "no"]);
    assert.ok(
      message.endsWith(`it redirects to ${foreign.origin}, which is not followed: check the URL`),
    );
  }
  assert.deepEqual(foreign.got, []);
});

test("a redirect within the origin is followed with the same method and body", async (t) => {
  const site = await serveHttp(t, ({ path, message: { id } }, response) => {
    if (path === "/mcp") return void response.writeHead(307, { location: "/mcp/" }).end();
    sendJson(response, { jsonrpc: "2.0", id, result: {} });
  });
  const far = await connectTo(t, site.url);
  await far.ask(modern(1, "x"));
  const [first, second] = site.got;
  assert.equal(`${second?.method} ${second?.path}`, "POST /mcp/");
  assert.equal(second?.text, first?.text);
});

test("redirects without end are given up after five", async (t) => {
  let requests = 0;
  const { message } = await refusedBy(t, (_got, response) => {
    requests++;
    response.writeHead(307, { location: "/mcp" }).end();
  });
  assert.match(message, /it redirects without end: check the URL$/);
  assert.equal(requests, 6);
});

test("a redirect that would turn a POST into a GET is not followed", async (t) => {
  const { message } = await refusedBy(t, ({ method }, response) => {
    assert.equal(method, "POST");
    response.writeHead(302, { location: "/login" }).end();
  });
  assert.match(message, /it answered with HTTP 302$/);
});

test("a page in place of an answer is not passed on", async (t) => {
  const { far, code, message } = await refusedBy(t, (_got, response) => {
    response.writeHead(200, { "content-type": "Text/HTML; charset=x" });
    response.end("<html>");
  });
  assert.equal(code, 1003);
  assert.match(message, /no JSON-RPC response \(HTTP 200, media type text\/html\), check the URL$/);
  assert.equal(far.lines.length, 1);
  assert.deepEqual(far.garbage, [6]);
});

test("a success without an answer is an error of the request", async (t) => {
  const { message } = await refusedBy(t, (_got, response) => void response.writeHead(202).end());
  assert.match(message, /no JSON-RPC response \(HTTP 202, media type none\)/);
});

test("an answer to another request does not answer this one", async (t) => {
  const { far, code } = await refusedBy(t, (_got, response) => {
    sendJson(response, { jsonrpc: "2.0", id: "1", result: {} });
  });
  assert.equal(code, 1003);
  assert.equal(far.lines.length, 2);
});

for (const type of ["application/json", "text/event-stream"]) {
  test(`an answer of ${type} that is not UTF-8 is an error of the request`, async (t) => {
    const { message } = await refusedBy(t, (_got, response) => {
      response.writeHead(200, { "content-type": type });
      response.end(Buffer.concat([
        Buffer.from('data: {"jsonrpc":"2.0","id":1,"result":{"s":"'),
        Buffer.from([0xff]),
        Buffer.from('"}}\n\n'),
      ]));
    });
    assert.match(message, /it is not UTF-8$/);
  });
}

test("a character that is torn over two pieces of a stream is whole in the line", async (t) => {
  const bytes = Buffer.from(eventOf({ id: 1, result: { s: "𝄞" } }));
  const cut = bytes.indexOf(0x9d);
  const site = await serveHttp(t, (_got, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(bytes.subarray(0, cut), () => response.end(bytes.subarray(cut)));
  });
  const far = await connectTo(t, site.url);
  assert.deepEqual((await far.ask(modern(1, "x"))).result, { s: "𝄞" });
});

test("a compressed answer, which nobody asked for, is refused", async (t) => {
  const { message } = await refusedBy(t, ({ headers }, response) => {
    assert.equal(headers["accept-encoding"], "identity");
    response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
    response.end("x");
  });
  assert.match(message, /compressed, which was not asked for$/);
});

test("a refusal without end is not read to its end", async (t) => {
  const { message } = await refusedBy(t, (_got, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.write("x".repeat(100_000));
  });
  assert.match(message, /it answered with HTTP 400$/);
});

test("a request whose headers would be longer than servers take is not sent", async (t) => {
  const site = await serveHttp(t, () => assert.fail("It was sent"));
  const far = await connectTo(t, site.url);
  const { error } = await far.ask(modern(1, "resources/read", { uri: "x".repeat(20_000) }));
  assert.match(error?.message ?? "", /longer than 16384 bytes$/);
});

test("no credential is in anything that was said or logged", async (t) => {
  const { far } = await refusedBy(t, ({ headers }, response) => {
    response.writeHead(418, `Bad ${String(headers["authorization"])}`);
    response.end(`{"error":{"code":1,"message":"${String(headers["authorization"])}"}}`);
  });
  assert.doesNotMatch([...far.lines, ...far.stderr].join(), /s3cr3t/);
});
