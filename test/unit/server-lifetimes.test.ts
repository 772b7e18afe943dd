import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_CLIENTS } from "../../runner/server/lifetimes.ts";
import { begin, type Begun } from "../support/exchange.ts";
import { listMemory, type ManagedBench, openManaged } from "../support/managed.ts";
import { type Behaviour, modern, type Pipe, silent, tool, wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** A server that counts its calls, each process for itself. */
function counting(nth: number): Behaviour {
  let calls = 0;
  return modern(["echo"], {
    "tools/call": ({ id }, pipe) => pipe.say({ id, result: { content: [], nth, calls: ++calls } }),
  });
}

function answer({ events }: Begun): { readonly nth: number; readonly calls: number } {
  const result = events.find((event) => event.startsWith("result "));
  assert.ok(result, events.join());
  return JSON.parse(result.slice("result ".length)) as { nth: number; calls: number };
}

/** Makes a call and gives what it was answered. */
async function call(bench: ManagedBench, client: string) {
  const begun = begin(bench.server, { client });
  await settled();
  return answer(begun);
}

/** Lists that make no process necessary. */
async function known() {
  const bench = openManaged({ behave: () => modern() });
  await bench.server.start();
  assert.ok(bench.server.lists);
  return listMemory(bench.server.lists);
}

test("a shared server has one process for everybody, which keeps its state", async () => {
  const bench = openManaged({ behave: counting });
  assert.deepEqual(await call(bench, "a"), { content: [], nth: 1, calls: 1 });
  assert.deepEqual(await call(bench, "b"), { content: [], nth: 1, calls: 2 });
});

test("with lifetime client each client has a process, and none sees the state of another", async () => {
  const bench = openManaged({ life: { lifetime: "client" }, behave: counting });
  const a = (await call(bench, "a")).nth;
  const b = (await call(bench, "b")).nth;
  assert.notEqual(a, b);
  assert.deepEqual(await call(bench, "a"), { content: [], nth: a, calls: 2 });
  assert.deepEqual(await call(bench, "b"), { content: [], nth: b, calls: 2 });
});

test("a client that makes no calls loses its process, and nobody else does", async () => {
  const bench = openManaged({ life: { lifetime: "client", idleMs: 10_000 }, behave: counting });
  const a = (await call(bench, "a")).nth;
  bench.clock.advance(6_000);
  const b = (await call(bench, "b")).nth;
  bench.clock.advance(6_000);
  await settled();
  assert.notEqual((await call(bench, "a")).nth, a);
  assert.equal((await call(bench, "b")).nth, b);
});

test(`only ${MAX_CLIENTS} clients have processes: the one that is idle for longest goes first`, async () => {
  const bench = openManaged({
    life: { lifetime: "client", idleMs: undefined },
    behave: counting,
    listMemory: await known(),
  });
  const first = new Map<string, number>();
  for (let n = 0; n < MAX_CLIENTS; n++) {
    first.set(`c${n}`, (await call(bench, `c${n}`)).nth);
    bench.clock.advance(61_000);
    await settled();
  }
  await call(bench, "c0");
  bench.clock.advance(1);
  await call(bench, "one more");
  assert.equal(bench.alive().length, MAX_CLIENTS);
  assert.deepEqual(await call(bench, "c0"), { content: [], nth: first.get("c0"), calls: 3 });
  assert.notEqual((await call(bench, "c1")).nth, first.get("c1"));
});

test("a client more than that is refused while all others have calls under way", async () => {
  const bench = openManaged({
    life: { lifetime: "client" },
    behave: () => modern(["echo"], { "tools/call": silent }),
    listMemory: await known(),
  });
  for (let n = 0; n < MAX_CLIENTS; n++) begin(bench.server, { client: `c${n}` });
  await settled();
  const { events } = begin(bench.server, { client: "one more" });
  await settled();
  assert.deepEqual(events, ["failed overloaded no"]);
});

test("with lifetime call each call has a process of its own, which is gone after it", async () => {
  const bench = openManaged({
    life: { lifetime: "call" },
    behave: counting,
    listMemory: await known(),
  });
  const [a, b] = [begin(bench.server), begin(bench.server)];
  await settled();
  assert.deepEqual([answer(a).calls, answer(b).calls], [1, 1]);
  assert.notEqual(answer(a).nth, answer(b).nth);
  bench.clock.advance(60_000);
  await settled();
  assert.deepEqual([bench.alive().length, bench.server.processes], [0, 0]);
  assert.equal(bench.clock.pending, 0);
});

test("a withdrawn call is told to its process, which then ends", async () => {
  const bench = openManaged({
    life: { lifetime: "call" },
    behave: () => modern(["echo"], { "tools/call": silent }),
    listMemory: await known(),
  });
  const begun = begin(bench.server);
  await settled();
  const pipe = bench.pipes.find((each) => each.received("tools/call").length > 0) as Pipe;
  begun.withdraw("No longer needed");
  await settled();
  assert.equal(pipe.received("notifications/cancelled").length, 1);
  assert.equal(pipe.ended, true);
});

test("a call that is withdrawn while its process starts leaves none behind", async () => {
  let launch: () => void = () => {};
  const bench = openManaged({
    life: { lifetime: "call", idleMs: 1_000 },
    behave: () => modern(),
    listMemory: await known(),
    launched: () => new Promise<void>((resolve) => launch = resolve),
  });
  const begun = begin(bench.server);
  const own = launch;
  begun.withdraw("No longer needed");
  own();
  launch();
  await settled();
  bench.clock.advance(1_000);
  await settled();
  assert.deepEqual(begun.events, []);
  assert.equal(bench.alive().length, 0);
});

/** A legacy server that asks for the name of the user before it answers. */
function asking(): Behaviour {
  return wellBehaved(["echo"], {
    "tools/call": (_, pipe) => {
      pipe.say({ id: 7, method: "elicitation/create", params: { message: "Who?" } });
    },
  });
}

const capabilities = { elicitation: {} };

/** A call with a process of its own that waits for a person. */
async function parked() {
  const bench = openManaged({
    era: "legacy",
    life: { lifetime: "call", idleMs: 1_000 },
    behave: asking,
    listMemory: await known(),
  });
  const begun = begin(bench.server, { capabilities });
  await settled();
  bench.clock.advance(20);
  await settled();
  const pipe = bench.pipes.find((each) => each.received("tools/call").length > 0) as Pipe;
  bench.clock.advance(2_000);
  await settled();
  assert.equal(pipe.ended, false);
  return { ...bench, begun, pipe, state: begun.question().state };
}

test("a call that asks a person keeps its process until it goes on", async () => {
  const { server, pipe, state, pipes } = await parked();
  const started = pipes.length;
  const next = begin(server, {
    capabilities,
    input: { state, responses: { "elicitation-1": { action: "accept" } } },
  });
  await settled();
  assert.equal(pipe.received().at(-1)?.id, 7);
  pipe.say({ id: pipe.received("tools/call")[0]?.id, result: { content: [] } });
  await settled();
  assert.deepEqual(next.events, ["accepted", 'result {"content":[]}']);
  assert.equal(pipe.ended, true);
  assert.equal(pipes.length, started);
});

test("a call that asks a person keeps its process until it is withdrawn", async () => {
  const { begun, pipe } = await parked();
  begun.withdraw("No longer needed");
  await settled();
  assert.equal(pipe.ended, true);
});

test("a call that asks a person keeps its process for six minutes at most", async () => {
  const { server, clock, pipe, state } = await parked();
  clock.advance(6 * 60_000);
  await settled();
  assert.equal(pipe.ended, true);
  const { events } = begin(server, { capabilities, input: { state } });
  await settled();
  assert.deepEqual(events, ["failed state_invalid unknown"]);
});

test("an answer that waits for its turn finds the process of the call that asked", async () => {
  const bench = openManaged({
    life: { lifetime: "call", concurrency: 1 },
    behave: () =>
      modern(["echo"], {
        "tools/call": ({ id, params }, pipe) => {
          const asks = params?.["name"] === "ask";
          if (asks) pipe.say({ id, result: { resultType: "input_required", requestState: "s" } });
        },
      }),
    listMemory: await known(),
  });
  begin(bench.server, { params: '{"name":"ask"}', patienceMs: () => 500 });
  await settled();
  const pipe = bench.pipes.find((each) => each.received("tools/call").length > 0) as Pipe;
  const other = begin(bench.server);
  await settled();
  const next = begin(bench.server, { input: { state: "s" } });
  bench.clock.advance(600);
  other.withdraw("No longer needed");
  await settled();
  assert.deepEqual(next.events, ["accepted"]);
  assert.equal(pipe.received("tools/call").length, 2);
});

test("a call that became a task keeps its process, which is asked for the task", async () => {
  let status = "working";
  const bench = openManaged({
    life: { lifetime: "call", idleMs: 1_000 },
    behave: (nth) =>
      modern(["echo"], {
        "tools/call": ({ id }, pipe) =>
          pipe.say({ id, result: { resultType: "task", taskId: `t${nth}`, status: "working" } }),
        "tasks/get": ({ id, params }, pipe) =>
          params?.["taskId"] === `t${nth}`
            ? pipe.say({ id, result: { resultType: "complete", taskId: `t${nth}`, status } })
            : pipe.say({ id, error: { code: -32602, message: "No such task" } }),
      }),
    listMemory: await known(),
  });
  const calls = [begin(bench.server), begin(bench.server)];
  await settled();
  bench.clock.advance(3_600_000);
  await settled();
  const ids = calls.map(({ events }) => /"taskId":"(t\d+)"/.exec(events.join())?.[1]);
  const ask = async (id: string | undefined): Promise<readonly string[]> => {
    const params = JSON.stringify({ taskId: id });
    const { events } = begin(bench.server, { method: "tasks/get", params });
    await settled();
    return events;
  };
  for (const id of ids) assert.match((await ask(id)).join(), /"status":"working"/);
  status = "completed";
  for (const id of ids) assert.match((await ask(id)).join(), /"status":"completed"/);
  assert.equal(bench.alive().length, 2);
  bench.clock.advance(60_000);
  await settled();
  assert.equal(bench.alive().length, 0);
});

test("nobody else can go on with a call that asks a person", async () => {
  const { server, pipe, state } = await parked();
  const { events } = begin(server, { client: "other", capabilities, input: { state } });
  await settled();
  assert.deepEqual(events, ["failed state_invalid unknown"]);
  assert.equal(pipe.ended, false);
});

for (const lifetime of ["client", "call"] as const) {
  test(`with lifetime ${lifetime} one listing makes the lists known to all`, async () => {
    const bench = openManaged({ life: { lifetime }, behave: counting });
    await bench.server.start();
    assert.deepEqual(bench.server.lists?.tools.map(({ key }) => key), ["echo"]);
    assert.equal(bench.pipes.length, 1);
    for (const client of ["a", "b"]) await call(bench, client);
    assert.equal(bench.pipes.length, 3);
    bench.clock.advance(60_000);
    await settled();
    assert.equal(bench.pipes[0]?.ended, true);
    assert.equal(bench.server.lists.tools.length, 1);
  });

  test(`with lifetime ${lifetime} what is remembered of the lists is read anew at the first call`, async () => {
    const memory = await known();
    const bench = openManaged({
      life: { lifetime },
      behave: () => modern(["echo", "more"]),
      listMemory: memory,
    });
    begin(bench.server);
    await settled();
    assert.deepEqual(bench.server.lists?.tools.map(({ key }) => key), ["echo", "more"]);
    assert.equal(memory.kept?.tools.length, 2);
  });

  test(`with lifetime ${lifetime} who listens has a process that belongs to nobody, while they do`, async () => {
    const bench = openManaged({
      life: { lifetime, idleMs: 1_000 },
      behave: () =>
        modern(["echo"], {
          "resources/list": ({ id }, pipe) => pipe.say({ id, result: { resources: [] } }),
          "resources/templates/list": ({ id }, pipe) =>
            pipe.say({ id, result: { resourceTemplates: [] } }),
        }, { tools: {}, resources: {} }),
      listMemory: await known(),
    });
    const unlisten = bench.server.listen(["x://a"], { updated: () => {}, ended: () => {} });
    await settled();
    bench.clock.advance(60_000);
    await settled();
    assert.equal(bench.alive().length, 1);
    unlisten();
    bench.clock.advance(1_000);
    await settled();
    assert.equal(bench.alive().length, 0);
  });
}

test("with lifetime client what one client's process lists later is not shown to others", async () => {
  const bench = openManaged({ life: { lifetime: "client" }, behave: counting });
  await bench.server.start();
  const { nth } = await call(bench, "a");
  const pipe = bench.pipes[nth - 1] as Pipe;
  pipe.say({ method: "notifications/tools/list_changed" });
  bench.clock.advance(100);
  const again = pipe.received("tools/list").at(-1);
  pipe.say({ id: again?.id, result: { tools: [tool("of-a")] } });
  await settled();
  assert.deepEqual(bench.server.lists?.tools.map(({ key }) => key), ["echo"]);
});

for (const lifetime of ["shared", "client", "call"] as const) {
  test(`stop() ends all processes of lifetime ${lifetime}, and every call`, async () => {
    const bench = openManaged({
      life: { lifetime },
      behave: () => modern(["echo"], { "tools/call": silent }),
    });
    const calls = ["a", "b"].map((client) => begin(bench.server, { client }));
    await settled();
    await bench.server.stop();
    await settled();
    for (const { events } of calls) assert.deepEqual(events.length, 2, events.join());
    assert.equal(bench.alive().length, 0);
    assert.equal(bench.clock.pending, 0);
    assert.equal(bench.server.state, "cold");
    const late = begin(bench.server);
    await settled();
    assert.deepEqual(late.events, ["failed server_failed no"]);
  });

  test(`rest() ends all processes of lifetime ${lifetime}, and the next call starts one`, async () => {
    const bench = openManaged({ life: { lifetime }, behave: counting });
    await call(bench, "a");
    await bench.server.rest();
    assert.equal(bench.alive().length, 0);
    await call(bench, "a");
  });
}
