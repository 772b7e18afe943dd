import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { dialTunnel } from "../../runner/tunnel/socket.ts";
import { MAX_MESSAGE_BYTES } from "../../src/tunnel/frame.ts";
import type { Wire } from "../../src/tunnel/wire.ts";
import { type FakeTunnel, type FakeWorker, startFakeWorker } from "../support/fake-worker.ts";
import { freePort } from "../support/worker.ts";

const TOKEN = "mcpr_tunnel_secret";

/** A runner's end of a tunnel, with what it has been told. */
interface Opened {
  readonly wire: Wire;
  readonly tunnel: FakeTunnel;
  readonly messages: string[];
  readonly closings: number[];
  /** Resolves with the first close code. */
  readonly closed: Promise<number>;
}

async function open(worker: FakeWorker): Promise<Opened> {
  const messages: string[] = [];
  const closings: number[] = [];
  let wire: Wire | undefined;
  let ended: (code: number) => void = () => {};
  const closed = new Promise<number>((resolve) => ended = resolve);
  await dialTunnel({ origin: worker.origin, token: TOKEN }, (opening) => {
    wire = opening;
    return {
      message: (text) => void messages.push(text),
      closed: (code) => {
        closings.push(code);
        ended(code);
      },
    };
  });
  assert.ok(wire);
  return { wire, messages, closings, closed, tunnel: await worker.tunnel() };
}

describe("a dial that succeeds", () => {
  let worker: FakeWorker;
  before(async () => {
    worker = await startFakeWorker();
  });
  after(() => worker[Symbol.asyncDispose]());

  test("asks for mcpr.v1 and shows its token in the header, never in the URL", async () => {
    const { tunnel } = await open(worker);
    const { headers, url } = tunnel.request;
    assert.equal(url, "/tunnel");
    assert.equal(headers["sec-websocket-protocol"], "mcpr.v1");
    assert.equal(headers.authorization, `Bearer ${TOKEN}`);
    assert.equal(headers.origin, undefined);
  });

  test("carries text both ways, byte for byte and in order", async () => {
    const { wire, tunnel, messages, closed } = await open(worker);
    const texts = ["p", "", '["grüße 🌍 \\ud800"]', "x".repeat(1_000_000)];
    const arrived: string[] = [];
    tunnel.socket.on("message", (data: Buffer) => {
      arrived.push(data.toString("utf8"));
      tunnel.socket.send(data.toString("utf8"));
      if (arrived.length === texts.length) tunnel.socket.close(1000);
    });
    for (const text of texts) wire.send(text);
    await closed;
    assert.deepEqual(arrived, texts);
    assert.deepEqual(messages, texts);
  });

  for (const code of [1000, 4403, 4409, 4503]) {
    test(`is told that the worker closes with ${code}`, async () => {
      const { tunnel, closed, closings } = await open(worker);
      tunnel.socket.close(code, "why");
      assert.equal(await closed, code);
      assert.deepEqual(closings, [code]);
    });
  }

  test("is told that the connection broke", async () => {
    const { tunnel, closed, wire } = await open(worker);
    tunnel.socket.terminate();
    assert.equal(await closed, 1006);
    wire.send("too late");
    wire.close(1000, "too late");
  });

  test("closes with the code and the reason that it is given", async () => {
    const { wire, tunnel } = await open(worker);
    wire.close(4408, "The worker was silent for too long");
    assert.equal(await tunnel.closed, 4408);
  });

  const foreign: Array<[what: string, data: Buffer | string, toWorker: number]> = [
    ["a binary message", Buffer.from("hello"), 4400],
    ["a message beyond the limit", "x".repeat(MAX_MESSAGE_BYTES + 1), 1009],
  ];
  for (const [what, data, toWorker] of foreign) {
    test(`ends at ${what}, and hears nothing after it`, async () => {
      const { tunnel, messages, closed, closings } = await open(worker);
      tunnel.socket.send("before");
      tunnel.socket.send(data);
      tunnel.socket.send("after");
      assert.equal(await closed, 4400);
      assert.equal(await tunnel.closed, toWorker);
      assert.deepEqual(messages, ["before"]);
      assert.deepEqual(closings, [4400]);
    });
  }

  test("ends at a foreign message also with a worker that does not take part in closing", async () => {
    const { tunnel, closed, messages } = await open(worker);
    tunnel.socket.send(Buffer.from("hello"));
    tunnel.socket.send("after");
    tunnel.socket.pause();
    assert.equal(await closed, 4400);
    assert.deepEqual(messages, []);
    tunnel.socket.terminate();
  });

  test("ends at a broken WebSocket frame", async () => {
    const { tunnel, closed } = await open(worker);
    // A reserved opcode.
    const { _socket: raw } = tunnel.socket as unknown as { readonly _socket: Socket };
    raw.write(Buffer.from([0x83, 0x00]));
    assert.ok([1002, 1006].includes(await closed));
  });
});

/** The JSON body of a worker's refusal. */
function refusal(code: string, message: string, data: object = {}): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    error: { code: -32600, message, data: { code, ...data } },
  });
}

const HTML = "<!doctype html><html><title>Welcome to nginx!</title></html>";

const refusals: Array<[
  why: string,
  status: number,
  body: string,
  code: "tunnel_refused" | "tunnel_protocol",
  message: RegExp,
]> = [
  [
    "401: the token is unknown",
    401,
    refusal("unauthorized", "Unauthorized"),
    "tunnel_refused",
    /does not know this machine's tunnel token, run "mcp-runner connect" with a new join code$/,
  ],
  [
    "403: the token was revoked",
    403,
    refusal("token_revoked", "Revoked"),
    "tunnel_refused",
    /was revoked, run "mcp-runner disconnect" and then "mcp-runner connect" with a new join code$/,
  ],
  [
    "403: the worker serves another host",
    403,
    refusal("forbidden_host", 'This worker does not serve "127.0.0.1"'),
    "tunnel_refused",
    /: This worker does not serve "127\.0\.0\.1"$/,
  ],
  [
    "426: another version",
    426,
    refusal("upgrade_required", "Upgrade", { supported: ["mcpr.v2"] }),
    "tunnel_refused",
    /it speaks another version, update with "npx mcp-runner@latest" or update it$/,
  ],
  [
    "426: the same version, so that something between takes the upgrade away",
    426,
    refusal("upgrade_required", "Upgrade", { supported: ["mcpr.v1", "mcpr.v2"] }),
    "tunnel_protocol",
    /it opens no WebSocket; is there a proxy that does not pass WebSockets on\?$/,
  ],
  [
    "404: a page of something else",
    404,
    HTML,
    "tunnel_refused",
    /no mcp-runner worker at this URL$/,
  ],
  [
    "200: a page of something else",
    200,
    HTML,
    "tunnel_protocol",
    /it answers with HTTP 200 instead of opening a tunnel$/,
  ],
  ["401: a page of a proxy", 401, HTML, "tunnel_protocol", /it answers with HTTP 401 instead of/],
  ["502: a page of a proxy", 502, HTML, "tunnel_protocol", /it answers with HTTP 502 instead of/],
  ["500: nothing", 500, "", "tunnel_protocol", /it answers with HTTP 500 instead of/],
  [
    "503: the worker has a problem of its own",
    503,
    refusal("store_unavailable", "Cannot reach the store"),
    "tunnel_protocol",
    /: Cannot reach the store$/,
  ],
  [
    "a code that later workers may have",
    403,
    refusal("account_closed", "This account is closed"),
    "tunnel_refused",
    /: This account is closed$/,
  ],
  [
    "JSON of another shape",
    403,
    '{"error":"forbidden"}',
    "tunnel_protocol",
    /it answers with HTTP 403 instead of/,
  ],
  ["half JSON", 403, '{"error":', "tunnel_protocol", /it answers with HTTP 403 instead of/],
  [
    "words that would move the cursor",
    403,
    refusal("forbidden_host", "\u001b[2J\nmcp-runner: fine\u202e" + "x".repeat(50_000)),
    "tunnel_refused",
    /: \\x1b\[2J\\x0amcp-runner: fine\\u202ex+$/,
  ],
];

describe("a dial that fails", () => {
  let worker: FakeWorker;
  before(async () => {
    worker = await startFakeWorker();
  });
  beforeEach(() => void (worker.refuse = undefined));
  after(() => worker[Symbol.asyncDispose]());

  /** What a dial of `origin` fails with. */
  async function failure(origin = worker.origin): Promise<{ code: string; message: string }> {
    try {
      await dialTunnel({ origin, token: TOKEN }, () => assert.fail("The dial must not succeed"));
    } catch (error) {
      return error as { code: string; message: string };
    }
    return assert.fail("The dial has succeeded");
  }

  for (const [why, status, body, code, message] of refusals) {
    test(`says what to do after ${why}`, async () => {
      worker.refuse = { status, body };
      const error = await failure();
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assert.ok(error.message.length < 1_000, `${error.message.length} characters`);
      assert.ok(error.message.includes(worker.origin));
      assert.doesNotMatch(error.message, /secret/);
    });
  }

  test("names where it is sent to by a redirect, and does not go there", async () => {
    await using other = await startFakeWorker();
    const location = `${other.origin}/elsewhere`;
    worker.refuse = { status: 308, headers: { location }, body: "" };
    const { code, message } = await failure();
    assert.equal(code, "tunnel_protocol");
    assert.ok(message.endsWith(`it redirects to ${location}, use the URL of the worker itself`));
    assert.equal(other.requests.length, 0);
  });

  test("reads no more of an endless page than it needs", async () => {
    let stopped: () => void = () => {};
    const left = new Promise<void>((resolve) => stopped = resolve);
    worker.refuse = {
      status: 403,
      body: (response) => {
        const more = (): void => {
          while (!response.destroyed && response.write("x".repeat(65_536)));
        };
        response.on("drain", more).on("close", stopped);
        more();
      },
    };
    assert.match((await failure()).message, /it answers with HTTP 403 instead of/);
    await left;
  });

  test("says that nobody listens", async () => {
    const { code, message } = await failure(`http://127.0.0.1:${await freePort()}`);
    assert.equal(code, "tunnel_protocol");
    assert.match(message, /^Cannot reach the worker at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });

  test("says that a host has no address", async () => {
    const { code, message } = await failure("http://worker.invalid");
    assert.equal(code, "tunnel_protocol");
    assert.match(message, /worker\.invalid: .*(ENOTFOUND|EAI_AGAIN)/);
  });

  const rude: Array<[what: string, serve: (socket: Socket) => void]> = [
    ["hangs up", (socket) => void socket.once("data", () => socket.destroy())],
    ["speaks something else", (socket) => void socket.end("SSH-2.0-OpenSSH_9.6\r\n")],
  ];
  for (const [what, serve] of rude) {
    test(`is worth another try with a server that ${what}`, async () => {
      const sockets: Socket[] = [];
      const server: Server = createServer((socket) => {
        sockets.push(socket.on("error", () => {}));
        serve(socket);
      });
      await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const { code, message } = await failure(`http://127.0.0.1:${port}`);
      assert.equal(code, "tunnel_protocol");
      assert.match(message, /^Cannot reach the worker at .+: .+/);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  test("does not take a tunnel that was opened without the subprotocol", async () => {
    await using other = await startFakeWorker();
    other.subprotocol = false;
    const { code } = await failure(other.origin);
    assert.equal(code, "tunnel_protocol");
  });
});
