import assert from "node:assert/strict";
import { test } from "node:test";
import { RELIST_DELAY_MS } from "../../runner/server/instance.ts";
import { LISTING_IDLE_MS } from "../../runner/server/legacy-server.ts";
import { type Behaviour, type Pipe, silent, tool, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const CHANGED = { method: "notifications/tools/list_changed" };

/** A ready server whose list a test can change. */
async function ready(instead: Readonly<Record<string, Behaviour>> = {}) {
  const listed = { names: ["one"] };
  const bench = openServer({
    behave: () =>
      wellBehaved([], {
        "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools: listed.names.map(tool) } }),
        ...instead,
      }),
  });
  await bench.server.start();
  // From here on the process that only lists is gone.
  bench.clock.advance(LISTING_IDLE_MS);
  await settled();
  const [pipe] = bench.pipes as [Pipe];
  const names = () => bench.server.lists?.tools.map(({ key }) => key);
  const say = async (): Promise<void> => {
    pipe.say(CHANGED);
    bench.clock.advance(RELIST_DELAY_MS);
    await settled();
  };
  return { ...bench, say, listed, pipe, names, lists: () => pipe.received("tools/list").length };
}

test("a server that says so is asked for its tools again, and the change is told", async () => {
  const { listed, say, names, told } = await ready();
  const before = told.length;
  listed.names = ["one", "two"];
  await say();
  assert.deepEqual(names(), ["one", "two"]);
  assert.deepEqual(told.slice(before), [["tools"]]);
});

test("who listens hears of a change that left everything as before", async () => {
  const { say, told, lists } = await ready();
  const before = told.length;
  await say();
  assert.equal(lists(), 2);
  assert.deepEqual(told.slice(before), [["tools"]]);
});

test("a tool that is dropped or rewritten is so for everybody", async () => {
  const { listed, say, server, names } = await ready();
  listed.names = ["two"];
  await say();
  assert.deepEqual(names(), ["two"]);
  assert.equal(server.lists?.tools[0]?.raw, JSON.stringify(tool("two")));
});

test("several changes within a moment are read once", async () => {
  const { pipe, say, lists, told } = await ready();
  const before = told.length;
  for (let n = 0; n < 6; n++) pipe.say(CHANGED);
  await say();
  assert.equal(lists(), 2);
  assert.equal(told.length, before + 1);
});

test("a server that floods is asked once a second at most, and its last state is known", async () => {
  const { listed, pipe, names, clock, lists, changes } = await ready();
  const before = changes();
  for (let n = 0; n < 10_000; n++) {
    listed.names = [`tool-${n}`];
    pipe.say(CHANGED);
    if (n === 5_000) clock.advance(RELIST_DELAY_MS);
    if (n % 1_000 === 0) await settled();
  }
  await settled();
  assert.equal(lists(), 2);
  clock.advance(1_000);
  await settled();
  assert.equal(lists(), 3);
  assert.deepEqual(names(), ["tool-9999"]);
  assert.ok(changes() <= before + 2);
  clock.advance(60_000);
  await settled();
  assert.equal(lists(), 3);
});

test("a server that does not answer is not asked again", async () => {
  let answers = true;
  const { pipe, clock, names, lists } = await ready({
    "tools/list": ({ id }, at) =>
      void (answers && at.say({ id, result: { tools: [tool("one")] } })),
  });
  answers = false;
  for (let n = 0; n < 100; n++) {
    pipe.say(CHANGED);
    clock.advance(10_000);
    await settled();
  }
  assert.equal(lists(), 2);
  assert.deepEqual(names(), ["one"]);
});

test("a change that comes during the handshake is not missed", async () => {
  const names = ["early"];
  const { server, clock } = openServer({
    behave: () =>
      wellBehaved([], {
        "tools/list": ({ id }, pipe) => {
          pipe.say({ id, result: { tools: names.map(tool) } });
          if (names.length === 1) {
            names.push("late");
            pipe.say(CHANGED);
          }
        },
      }),
  });
  await server.start();
  clock.advance(RELIST_DELAY_MS);
  await settled();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["early", "late"]);
});

test("a list that cannot be read again leaves the tools as they were", async () => {
  let fails = false;
  const { say, names, log } = await ready({
    "tools/list": ({ id }, at) =>
      fails
        ? at.say({ id, error: { code: -1, message: "not now" } })
        : at.say({ id, result: { tools: [tool("one")] } }),
  });
  fails = true;
  await say();
  assert.deepEqual(names(), ["one"]);
  assert.match(`${log[0]?.message} ${String(log[0]?.fields["error"])}`, /"probe".*not now/);
});

test("a list that cannot be read is logged once, until it can be read again", async () => {
  let fails = true;
  const { say, log, clock } = await ready({
    "tools/list": ({ id }, at) =>
      fails && at.received("tools/list").length > 1
        ? at.say({ id, error: { code: -1, message: "not now" } })
        : at.say({ id, result: { tools: [tool("one")] } }),
  });
  const askAgain = async (): Promise<void> => {
    await say();
    clock.advance(1_000);
  };
  for (let n = 0; n < 10; n++) await askAgain();
  assert.equal(log.length, 1);
  fails = false;
  await askAgain();
  fails = true;
  await askAgain();
  assert.equal(log.length, 2);
});

test("a server that ends while it lists again is not blamed for the list", async () => {
  const { say, pipe, log, names, clock } = await ready({
    "tools/list": (message, at) => {
      if (at.received("tools/list").length === 1) wellBehaved(["one"])(message, at);
      else silent(message, at);
    },
  });
  await say();
  pipe.end({ code: 1 });
  await settled();
  clock.advance(10_000);
  assert.deepEqual(log.map(({ message }) => /ended/.test(message)), [true]);
  assert.deepEqual(names(), ["one"]);
  assert.equal(clock.pending, 0);
});

test("a server without tools is not asked for them, whatever it says", async () => {
  const { server, pipes } = openServer({
    behave: () =>
      wellBehaved([], {
        initialize: ({ id }, pipe) =>
          pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities: {} } }),
      }),
  });
  await server.start();
  pipes[0]?.say(CHANGED);
  await settled();
  assert.deepEqual(pipes[0]?.received("tools/list"), []);
});

test("notifications about what it does not have ask for nothing", async () => {
  const { pipe, clock } = await ready();
  const before = pipe.lines.length;
  pipe.say({ method: "notifications/resources/list_changed" });
  pipe.say({ method: "notifications/tools/list_changed/" });
  clock.advance(RELIST_DELAY_MS);
  await settled();
  assert.equal(pipe.lines.length, before);
});
