import assert from "node:assert/strict";
import { test } from "node:test";
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
  await bench.server.running();
  const [pipe] = bench.pipes as [Pipe];
  const names = () => bench.server.tools?.map(({ name }) => name);
  return { ...bench, listed, pipe, names, lists: () => pipe.received("tools/list").length };
}

test("a server that says so is asked for its tools again, and the change is told", async () => {
  const { listed, pipe, names, changes } = await ready();
  const before = changes();
  listed.names = ["one", "two"];
  pipe.say(CHANGED);
  await settled();
  assert.deepEqual(names(), ["one", "two"]);
  assert.equal(changes(), before + 1);
});

test("tools that are as before are no change", async () => {
  const { pipe, changes, lists } = await ready();
  const before = changes();
  pipe.say(CHANGED);
  await settled();
  assert.equal(lists(), 2);
  assert.equal(changes(), before);
});

test("a server that floods is asked once a second at most, and its last state is known", async () => {
  const { listed, pipe, names, clock, lists, changes } = await ready();
  const before = changes();
  for (let n = 0; n < 10_000; n++) {
    listed.names = [`tool-${n}`];
    pipe.say(CHANGED);
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
  const { server } = openServer({
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
  await server.running();
  await settled();
  assert.deepEqual(server.tools?.map(({ name }) => name), ["early", "late"]);
});

test("a list that cannot be read again leaves the tools as they were", async () => {
  let fails = false;
  const { pipe, names, log } = await ready({
    "tools/list": ({ id }, at) =>
      fails
        ? at.say({ id, error: { code: -1, message: "not now" } })
        : at.say({ id, result: { tools: [tool("one")] } }),
  });
  fails = true;
  pipe.say(CHANGED);
  await settled();
  assert.deepEqual(names(), ["one"]);
  assert.match(`${log[0]?.message} ${String(log[0]?.fields["error"])}`, /"probe".*not now/);
});

test("a list that cannot be read is logged once, until it can be read again", async () => {
  let fails = true;
  const { pipe, log, clock } = await ready({
    "tools/list": ({ id }, at) =>
      fails && at.received("tools/list").length > 1
        ? at.say({ id, error: { code: -1, message: "not now" } })
        : at.say({ id, result: { tools: [tool("one")] } }),
  });
  const askAgain = async (): Promise<void> => {
    pipe.say(CHANGED);
    await settled();
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
  let first = true;
  const { pipe, log, names, clock } = await ready({
    "tools/list": (message, at) => {
      if (first) wellBehaved(["one"])(message, at);
      else silent(message, at);
      first = false;
    },
  });
  pipe.say(CHANGED);
  await settled();
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
  await server.running();
  pipes[0]?.say(CHANGED);
  await settled();
  assert.deepEqual(pipes[0]?.received("tools/list"), []);
});

test("other notifications ask for nothing", async () => {
  const { pipe, lists } = await ready();
  pipe.say({ method: "notifications/resources/list_changed" });
  pipe.say({ method: "notifications/tools/list_changed/" });
  await settled();
  assert.equal(lists(), 1);
});
