/**
 * A hundred servers of a hundred tools: what one machine may have at most, without one process for all
 * that is only listed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway } from "../../runner/gateway/gateway.ts";
import type { GatewayServer } from "../../runner/gateway/gateway-server.ts";
import { NO_TASKS } from "../../runner/task/policy.ts";
import { MAX_STARTS, StartLimit } from "../../runner/server/start-limit.ts";
import { encodeWithin } from "../../runner/tunnel/offer-payload.ts";
import { defaultPrefix } from "../../src/mcp/name.ts";
import { MAX_PAYLOAD_LENGTH } from "../../src/tunnel/frame.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { recordedReply } from "../support/gateway.ts";
import { messageOf, modern as ask, startWorkerInMemory } from "../support/home.ts";
import { listMemory, openManaged } from "../support/managed.ts";
import { modern } from "../support/pipe.ts";
import { ALLOW_ALL, entryOf, openPins, toolsOf } from "../support/pins.ts";
import { settled } from "../support/settled.ts";

const SERVERS = Array.from({ length: 100 }, (_, n) => `server-${n}`);
const TOOLS = Array.from({ length: 100 }, (_, n) => `tool-${n}`);
const TEXT = "What a tool says of itself. ".repeat(10);
const LISTED = toolsOf(...TOOLS.map((name) => entryOf(name, { description: TEXT })));
const ALL = SERVERS.flatMap((server) => TOOLS.map((name) => `${server}__${name}`));

/** A gateway of all of them, with what is started of them. */
async function openMany(known: boolean) {
  const bench = await openPins();
  const pins = await bench.open();
  const clock = fakeClock();
  const starts = new StartLimit(clock);
  const load = { now: 0, most: 0, all: 0 };
  const servers = SERVERS.map((name): GatewayServer => {
    const { server } = openManaged({
      clock,
      behave: () => modern(TOOLS),
      ...(known && { listMemory: listMemory(LISTED) }),
      launched: async () => {
        load.all++;
        load.most = Math.max(load.most, ++load.now);
        await settled();
        load.now--;
      },
      more: { name, starts },
    });
    return {
      server,
      prefix: defaultPrefix(name),
      rules: ALLOW_ALL,
      tasks: NO_TASKS,
      transport: "stdio",
      pins: pins.of(name),
    };
  });
  const gateway = new Gateway({ runner: "runner-1", servers, clock, log: () => {} });
  return {
    gateway,
    load,
    servers,
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      await bench[Symbol.asyncDispose]();
    },
  };
}

const keysOf = (gateway: Gateway) =>
  gateway.offer().servers.flatMap(({ tools }) => tools.map(({ key }) => key));

test("what is remembered of a hundred servers is offered in their order, and none is started", async () => {
  await using many = await openMany(true);
  const started = performance.now();
  assert.deepEqual(keysOf(many.gateway), ALL);
  assert.deepEqual(keysOf(many.gateway), ALL);
  assert.equal(many.load.all, 0);
  assert.ok(performance.now() - started < 10_000);
});

test("a hundred servers of which nothing is known start four at a time", async () => {
  await using many = await openMany(false);
  await many.gateway.start();
  assert.equal(many.load.all, 100);
  assert.equal(many.load.most, MAX_STARTS);
  assert.deepEqual(keysOf(many.gateway), ALL);
});

test("a call starts the one server that it is for", async () => {
  await using many = await openMany(true);
  const { reply, events } = recordedReply();
  many.gateway.call({
    id: "1",
    method: "tools/call",
    params: '{"name":"server-42__tool-7"}',
    deadlineMs: 60_000,
    protocolVersion: "2026-07-28",
    clientCapabilities: {},
    caller: { client: "test" },
  }, reply);
  for (let n = 0; n < 20 && events.length < 2; n++) await settled();
  assert.match(events.at(-1) ?? "", /^result .*tool-7/);
  assert.equal(many.load.all, 1);
});

test("clients read ten thousand tools page by page, each once, in the same order each time", async () => {
  await using many = await openMany(true);
  const { payload = "", leftOut } = encodeWithin(many.gateway.offer(), MAX_PAYLOAD_LENGTH);
  assert.deepEqual(leftOut, []);
  assert.ok(payload.length > 1024 * 1024, `${payload.length}`);
  const worker = startWorkerInMemory();
  const runner = await worker.runner();
  runner.say({ type: "offer", revision: 1 }, payload);
  const client = await worker.client();
  const read = async () => {
    const keys: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const response = await ask(client, "tools/list", cursor === undefined ? {} : { cursor });
      const { result = {} } = await messageOf(response);
      keys.push(...(result["tools"] as Array<{ name: string }>).map(({ name }) => name));
      cursor = result["nextCursor"] as string | undefined;
      pages++;
    } while (cursor !== undefined);
    return { keys, pages };
  };
  const first = await read();
  assert.ok(first.pages > 1);
  assert.deepEqual(first.keys, ALL);
  assert.deepEqual(await read(), first);
});
