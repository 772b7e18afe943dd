import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { messageOf, modern, post, startWorkerInMemory } from "../support/home.ts";

const MIB = 1024 * 1024;
const HEADERS = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };

/** A good request of exactly `bytes` bytes. */
function requestOf(bytes: number, filler = "x"): string {
  const meta = '"io.modelcontextprotocol/protocolVersion":"2026-07-28",' +
    '"io.modelcontextprotocol/clientCapabilities":{}';
  const [head, tail] = [
    '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"filler":"',
    `","_meta":{${meta}}}}`,
  ];
  const unit = new TextEncoder().encode(filler).length;
  const room = bytes - head.length - tail.length;
  return head + filler.repeat(Math.floor(room / unit)) + "x".repeat(room % unit) + tail;
}

/** The text in chunks, as a body without a length. */
function chunked(text: string, size = 64 * 1024): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, at += size));
    },
  });
}

/** Options of a request whose body is a stream. */
const STREAMED = { duplex: "half" } as RequestInit;

async function statusOf(body: BodyInit, headers: Record<string, string | undefined> = {}) {
  const client = await startWorkerInMemory().client();
  const sent = Object.entries({
    authorization: `Bearer ${client.token}`,
    "content-type": "application/json",
    ...HEADERS,
    ...headers,
  }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const init = { ...STREAMED, method: "POST", headers: sent, body };
  return await client.worker.request("/mcp", init);
}

for (const filler of ["x", "é", "😀"]) {
  test(`a body of exactly 4 MiB of "${filler}" is served, one more byte is not`, async () => {
    assert.equal((await statusOf(requestOf(4 * MIB, filler))).status, 200);
    assert.equal((await statusOf(requestOf(4 * MIB + 1, filler))).status, 413);
    assert.equal((await statusOf(chunked(requestOf(4 * MIB, filler)))).status, 200);
    const response = await statusOf(chunked(requestOf(4 * MIB + 1, filler)));
    assert.equal(response.status, 413);
    const { error } = await messageOf(response);
    assert.deepEqual([error?.code, error?.data["code"]], [-32600, "too_large"]);
  });
}

test("a body that comes byte by byte is put together, also inside characters", async () => {
  const text = requestOf(400, "😀é");
  assert.equal((await statusOf(chunked(text, 1))).status, 200);
});

const lengths: ReadonlyArray<readonly [length: string, bytes: number, status: number]> = [
  ["10", 5 * MIB, 413],
  ["0", 5 * MIB, 413],
  ["-1", 5 * MIB, 413],
  ["", 5 * MIB, 413],
  ["1e1", 5 * MIB, 413],
  ["nonsense", 5 * MIB, 413],
  ["99999999999", 1_000, 200],
  ["99999999999", 5 * MIB, 413],
];

for (const [length, bytes, status] of lengths) {
  test(`${bytes} bytes that call themselves "${length}" are answered ${status}`, async () => {
    const response = await statusOf(chunked(requestOf(bytes)), { "content-length": length });
    assert.equal(response.status, status);
  });
}

test("a body without an end is refused, and not read for ever", async () => {
  let read = 0;
  let cancelled = false;
  const chunk = new Uint8Array(MIB).fill(0x20);
  const endless = new ReadableStream({
    pull(controller) {
      read++;
      controller.enqueue(chunk);
    },
    cancel: () => void (cancelled = true),
  });
  assert.equal((await statusOf(endless)).status, 413);
  assert.ok(read < 20, `${read} MiB were read`);
  assert.ok(cancelled);
});

test("a byte order mark is refused before the home is asked", async () => {
  const response = await statusOf(`\ufeff${requestOf(400)}`);
  assert.equal(response.status, 400);
  assert.match((await messageOf(response)).error?.message ?? "", /byte order mark/);
});

test("a body that breaks off is the client's fault, and no line in the log", async () => {
  const client = await startWorkerInMemory().client();
  for (const length of [undefined, "100"]) {
    const headers = {
      authorization: `Bearer ${client.token}`,
      "content-type": "application/json",
      ...(length !== undefined && { "content-length": length }),
    };
    const body = new ReadableStream({
      pull: (controller) => controller.error(new Error("connection reset at /secret/path")),
    });
    const init = { ...STREAMED, method: "POST", headers, body };
    const response = await client.worker.request("/mcp", init);
    assert.equal(response.status, 400);
    assert.doesNotMatch(await response.text(), /secret/);
  }
  assert.deepEqual(client.worker.logged, []);
});

test("a body that stalls is given up after 30 s", async (t) => {
  const client = await startWorkerInMemory().client();
  let cancelled = false;
  const body = new ReadableStream({
    pull: () => new Promise(() => {}),
    cancel: () => void (cancelled = true),
  });
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const headers = { authorization: `Bearer ${client.token}`, "content-type": "application/json" };
  let response: Response | undefined;
  void client.worker.request("/mcp", { ...STREAMED, method: "POST", headers, body })
    .then((answer) => response = answer);
  await eventually("the request is given up", async () => {
    mock.timers.tick(30_000);
    return response;
  });
  assert.equal(response?.status, 408);
  assert.equal(response.headers.get("connection"), "close");
  assert.equal((await messageOf(response)).error?.data["code"], "request_timeout");
  assert.ok(cancelled, "and is not read on");
});

test("a body that stalls at /join is given up as well", async (t) => {
  const worker = startWorkerInMemory();
  const body = new ReadableStream({ pull: () => new Promise(() => {}) });
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let response: Response | undefined;
  const headers = { "content-type": "application/json" };
  void worker.request("/join", { ...STREAMED, method: "POST", headers, body })
    .then((answer) => response = answer);
  await eventually("the request is given up", async () => {
    mock.timers.tick(30_000);
    return response;
  });
  assert.equal(response?.status, 408);
});

const types: ReadonlyArray<readonly [type: string | undefined, served: boolean]> = [
  ["application/json", true],
  ["Application/JSON", true],
  ["application/json; charset=utf-8", true],
  ["application/json;charset=UTF-8", true],
  ['application/json ; charset="utf-8"', true],
  ["application/json; profile=x; charset=utf-8", true],
  [undefined, false],
  ["", false],
  ["text/plain", false],
  ["text/plain;application/json", false],
  ["text/json", false],
  ["application/jsonx", false],
  ["application/json-rpc", false],
  ["application/json, text/plain", false],
  ["text/plain, application/json", false],
  ["application/x-www-form-urlencoded", false],
  ["multipart/form-data; boundary=x", false],
  ["application/json; charset=utf-16", false],
  ["application/json; charset=iso-8859-1", false],
  ["application/json; charset=", false],
  ["application/json; charset=utf-8; charset=utf-16", false],
  ["application/json; charset=utf-8x", false],
];

for (const [type, served] of types) {
  test(`Content-Type "${type}" is ${served ? "" : "not "}served`, async () => {
    const body = new TextEncoder().encode(requestOf(400));
    const response = await statusOf(body, { "content-type": type });
    assert.equal(response.status, served ? 200 : 415);
  });
}

for (const encoding of ["gzip", "br", "deflate", "identity", "x"]) {
  test(`Content-Encoding ${encoding} is refused, and nothing is inflated`, async () => {
    const response = await statusOf(requestOf(400), { "content-encoding": encoding });
    assert.equal(response.status, 415);
  });
}

test("a large body is served while others are refused", async () => {
  const client = await startWorkerInMemory().client();
  const answers = await Promise.all([
    post(client, requestOf(4 * MIB), { headers: HEADERS }),
    post(client, requestOf(4 * MIB + 1), { headers: HEADERS }),
    modern(client, "tools/list"),
  ]);
  assert.deepEqual(answers.map(({ status }) => status), [200, 413, 200]);
});
