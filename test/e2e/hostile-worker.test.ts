import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Frame, Header } from "../../src/tunnel/frame.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { type FakeTunnel, type FakeWorker, startFakeWorker } from "../support/fake-worker.ts";
import { callHeader, WELCOME } from "../support/fake-wire.ts";
import { errorOf } from "../support/gateway.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeConfig } from "../support/probe-server.ts";
import type { Program } from "../support/program.ts";
import { createMachine, type Machine } from "../support/runner.ts";

describe("a runner that has joined a hostile worker", () => {
  let worker: FakeWorker;
  let machine: Machine;
  let runner: Program;
  let tunnel: FakeTunnel;
  let offer: string;
  let calls = 0;

  before(async () => {
    worker = await startFakeWorker({ token: `mcpr_tunnel_${"x".repeat(43)}`, tunnel: "default" });
    machine = await createMachine(probeConfig(await probeImage()));
    runner = machine.start("connect", worker.origin, "--code", "BCDF-GHJK");
    const ready = runner.printed(/^Ready/m, 120_000);
    // A runner that ends says why; without it nobody dials.
    await Promise.race([worker.tunnel().then((opened) => tunnel = opened), ready]);
    offer = (await tunnel.welcome()).payload;
    await ready;
    // The first offer may come before the server is ready.
    while (!offer.includes("probe__echo")) offer = (await tunnel.frame("offer")).payload;
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await worker[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    if (tunnel.socket.readyState === tunnel.socket.OPEN) return;
    tunnel = await worker.tunnel();
    await tunnel.welcome();
  });

  /** Sends a call and waits for what ends it. */
  async function call(params: string, more: Partial<Extract<Header, { type: "call" }>> = {}) {
    const id = `call-${++calls}`;
    const answer = ended(id);
    tunnel.say(callHeader(id, more), params);
    return await answer;
  }

  /** The result or error of a call. */
  function ended(id: string): Promise<Frame> {
    return said(id, "result", "error");
  }

  /** The first frame of one of these types about a call. */
  function said(id: string, ...types: Header["type"][]): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const look = (data: Buffer): void => {
        const text = data.toString("utf8");
        if (!types.some((type) => text.startsWith(`{"type":"${type}","id":"${id}"`))) return;
        tunnel.socket.off("message", look);
        const [head = "", payload = ""] = text.split("\n", 2);
        resolve({ header: JSON.parse(head) as Header, payload });
      };
      tunnel.socket.on("message", look);
      void tunnel.closed.then((code) => reject(new Error(`Closed with ${code}`)));
    });
  }

  /** What reached the server's stdin so far, line by line. */
  async function seen(): Promise<readonly string[]> {
    const { header, payload } = await call('{"name":"probe__seen"}');
    assert.equal(header.type, "result");
    const { content: [{ text }] } = JSON.parse(payload) as { content: [{ text: string }] };
    return JSON.parse(text) as string[];
  }

  /** Fails if more than the question itself reaches the server while `attack` runs. */
  async function reachesNothing(attack: () => Promise<unknown>): Promise<void> {
    const earlier = await seen();
    await attack();
    const later = await seen();
    assert.deepEqual(later.slice(earlier.length).map(nameOf), ["seen"]);
  }

  const nameOf = (line: string): unknown =>
    (JSON.parse(line) as { readonly params?: { readonly name?: unknown } }).params?.name;

  test("is told of no denied tool", async () => {
    assert.match(offer, /"probe__echo"/);
    assert.doesNotMatch(offer, /secret/);
  });

  test("answers a denied tool like one that does not exist, and the server hears of neither", async () => {
    await reachesNothing(async () => {
      const denied = await call('{"name":"probe__secret","arguments":{"n":1}}');
      const names = ["probe__nosuch", "nosuch__echo", "secret", "probe__secret\\u0000"];
      for (const name of names) {
        const unknown = await call(`{"name":"${name}","arguments":{"n":1}}`);
        assert.equal(errorOf([`error ${unknown.payload}`]).code, -32602);
        const shown = name.replace("\\u0000", "?");
        assert.equal(unknown.payload.replace(shown, "probe__secret"), denied.payload);
      }
    });
  });

  test("knows no frame that could name an image, a command, a mount, a variable or a rule", async () => {
    await reachesNothing(async () => {
      for (
        const frame of [
          { type: "add_server", name: "evil", source: "image:evil" },
          { type: "exec", server: "probe", command: ["sh", "-c", "id"] },
          { type: "allow", tools: ["*"] },
          { type: "config", servers: { evil: { volumes: ["/:/host"] } } },
          { type: "secret", name: "GITHUB_TOKEN" },
          { type: "stop" },
        ]
      ) tunnel.socket.send(JSON.stringify(frame));
      tunnel.socket.send('{"type":"exec"}\n{"jsonrpc":"2.0","id":1,"method":"tools/call"}');
    });
    assert.equal(tunnel.socket.readyState, tunnel.socket.OPEN);
  });

  test("runs no method but tools/call and ping", async () => {
    await reachesNothing(async () => {
      for (const method of ["initialize", "tools/list", "notifications/initialized", "exec", ""]) {
        const { payload } = await call('{"name":"probe__echo"}', { method });
        assert.equal(errorOf([`error ${payload}`]).code, -32601, method);
      }
      assert.equal((await call("", { method: "ping" })).payload, "{}");
    });
  });

  const hostile: Array<[why: string, params: string]> = [
    ["no JSON", '{"name":"probe__echo"'],
    ["two messages", '{"name":"probe__echo"}\n{"name":"probe__secret"}'],
    ["a name twice", '{"name":"probe__echo","name":"probe__secret"}'],
    ["a name twice in disguise", '{"name":"probe__echo","n\\u0061me":"probe__secret"}'],
    ["a list", '["probe__echo"]'],
    ["no name", "{}"],
    ["a name that is an object", '{"name":{"toString":"probe__echo"}}'],
    ["a million levels", `{"name":"probe__echo","arguments":${"[".repeat(1_000_000)}`],
    ["a raw control character", '{"name":"probe__echo","arguments":{"a":"\u0001"}}'],
  ];
  for (const [why, params] of hostile) {
    test(`refuses params with ${why}`, async () => {
      await reachesNothing(async () => {
        assert.equal((await call(params)).header.type, "error");
      });
    });
  }

  test("lets no line break carry a message of its own to a server", async () => {
    const hidden = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"secret"}}';
    for (const lineBreak of ["\n", "\r", "\r\n"]) {
      const before = await seen();
      const params = `{"name":"probe__echo","arguments":${lineBreak}${hidden}${lineBreak}}`;
      assert.equal((await call(params)).header.type, "result");
      const lines = (await seen()).slice(before.length);
      assert.deepEqual(lines.map(nameOf), ["echo", "seen"]);
      assert.doesNotMatch(lines.join(""), /[\r\n]/);
    }
  });

  test("runs a call once, however often it is sent", async () => {
    const before = await seen();
    // A call that is cancelled before it was handed on would not run at all.
    const accepted = said("again", "accepted");
    for (let n = 0; n < 3; n++) tunnel.say(callHeader("again"), '{"name":"probe__wait"}');
    await accepted;
    tunnel.say({ type: "cancel", id: "again", reason: "enough" });
    const after = (await seen()).slice(before.length);
    assert.deepEqual(after.map(nameOf), ["wait", undefined, "seen"]);
  });

  test("takes no more calls at a time than it has said", async () => {
    const before = await seen();
    const flood = Array.from({ length: 300 }, (_, n) => `flood-${n}`);
    const refused = Promise.all(flood.slice(256).map(ended));
    for (const id of flood) tunnel.say(callHeader(id), '{"name":"probe__wait"}');
    for (const { payload } of await refused) {
      assert.equal(errorOf([`error ${payload}`]).data.code, "overloaded");
    }
    for (const id of flood) tunnel.say({ type: "cancel", id, reason: "enough" });
    const waits = (await seen()).slice(before.length).filter((line) => nameOf(line) === "wait");
    assert.equal(waits.length, 256);
  });

  const broken: Array<[what: string, attack: (tunnel: FakeTunnel) => void]> = [
    ["a broken frame", ({ socket }) => socket.send('{"type":"call","id":7}')],
    ["a binary message", ({ socket }) => socket.send(Buffer.alloc(100_000))],
    ["a payload beyond the limit", ({ say }) => {
      say(callHeader("huge"), `{"name":"probe__echo","a":"${"x".repeat(MAX_PAYLOAD_LENGTH)}"}`);
    }],
  ];
  for (const [what, attack] of broken) {
    test(`leaves a worker that sends ${what}, dials again, and its server has not noticed`, async () => {
      await reachesNothing(async () => {
        attack(tunnel);
        assert.equal(await tunnel.closed, 4400);
        tunnel = await worker.tunnel();
        await tunnel.welcome();
      });
    });
  }

  test("cancels the calls of a worker that goes, and serves the next", async () => {
    const before = await seen();
    tunnel.say(callHeader("left"), '{"name":"probe__wait"}');
    await tunnel.frame("accepted", "left");
    tunnel.socket.terminate();
    tunnel = await worker.tunnel();
    await tunnel.welcome();
    const lines = (await seen()).slice(before.length);
    assert.match(lines[1] ?? "", /notifications\/cancelled/);
  });

  test("keeps to the limit of the worker, and prints nothing that could fool its user", async () => {
    tunnel.socket.close(4503, "\u001b[2J");
    tunnel = await worker.tunnel();
    await tunnel.frame("hello");
    tunnel.say({ ...WELCOME, tunnel: "\u001b]0;owned\u0007\u202e", maxPayload: 2_000 });
    await tunnel.frame("offer");
    const { payload } = await call(`{"name":"probe__echo","arguments":"${"x".repeat(3_000)}"}`);
    assert.equal(errorOf([`error ${payload}`]).data.code, "result_too_large");
    await runner.printed(/as runner of tunnel "\\x1b\]0;owned\\x07\\u202e"/);
    assert.doesNotMatch(runner.output(), /[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  test("ends when it is told that its token was revoked; its tools go on at home", async () => {
    tunnel.socket.close(4403, "Revoked");
    assert.equal(await runner.exit, 1);
    assert.match(runner.output(), /tunnel token of this machine was revoked/);
    const { code, stdout } = await machine.run("tools", "call", "probe__echo", "--json");
    assert.equal(code, 0);
    assert.match(stdout, /"ok":true/);
  });
});
