import assert from "node:assert/strict";
import { test } from "node:test";
import type { Era } from "../../runner/server/era.ts";
import { begin } from "../support/exchange.ts";
import { listMemory, openManaged } from "../support/managed.ts";
import { modern, silent, wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

const kinds = { modern, legacy: wellBehaved } as const;

/** What a server with these tools lists. */
async function listsOf(names: readonly string[]) {
  const { server } = openManaged({ behave: () => modern(names) });
  await server.start();
  assert.ok(server.lists);
  return server.lists;
}

async function remembering(era: Era, before: readonly string[], now: readonly string[]) {
  const memory = listMemory(await listsOf(before));
  const bench = openManaged({ era, behave: () => kinds[era](now), listMemory: memory });
  const names = (): readonly string[] | undefined =>
    bench.server.lists?.tools.map(({ key }) => key);
  return { ...bench, memory, names };
}

for (const era of ["legacy", "modern"] as const) {
  test(`a ${era} server whose lists are remembered is listed cold, and started by nobody`, async () => {
    const { server, pipes, names } = await remembering(era, ["echo"], ["echo"]);
    await server.start();
    assert.deepEqual(names(), ["echo"]);
    assert.equal(pipes.length, 0);
    assert.equal(server.state, "cold");
  });

  test(`the first call of a ${era} server replaces what is remembered, and says so`, async () => {
    const { server, told, names, memory } = await remembering(era, ["old"], ["new"]);
    const { events } = begin(server, { params: '{"name":"new"}' });
    await settled();
    assert.equal(events.length, 2);
    assert.deepEqual(names(), ["new"]);
    assert.deepEqual(told.filter((lists) => lists.length > 0), [["tools"]]);
    assert.deepEqual(memory.kept?.tools.map(({ key }) => key), ["new"]);
  });

  test(`a ${era} server that lists what is remembered says nothing`, async () => {
    const { server, told } = await remembering(era, ["echo"], ["echo"]);
    begin(server);
    await settled();
    assert.deepEqual(told.filter((lists) => lists.length > 0), []);
  });

  test(`what a ${era} server lists for the first time is remembered`, async () => {
    const memory = listMemory();
    const { server } = openManaged({ era, behave: () => kinds[era](["a"]), listMemory: memory });
    await server.start();
    await settled();
    assert.deepEqual(memory.kept?.tools.map(({ key }) => key), ["a"]);
  });
}

test("what a legacy server shows only to clients that can be asked is not forgotten meanwhile", async () => {
  let list: () => void = () => {};
  const memory = listMemory(await listsOf(["echo", "ask"]));
  const { server, told } = openManaged({
    era: "legacy",
    listMemory: memory,
    behave: () => {
      let names = ["echo"];
      return (message, pipe) => {
        const full = JSON.stringify(message.params ?? {}).includes("elicitation");
        if (message.method === "initialize" && full) names = ["echo", "ask"];
        const answer = (): void => wellBehaved(names)(message, pipe);
        if (message.method === "tools/list" && names.length > 1) list = answer;
        else answer();
      };
    },
  });
  const { events } = begin(server);
  await settled();
  assert.equal(events.length, 2);
  assert.equal(server.lists?.tools.length, 2);
  list();
  await settled();
  assert.equal(server.lists?.tools.length, 2);
  assert.deepEqual(told.filter((lists) => lists.length > 0), []);
});

test("a legacy server that cannot be listed as a whole is known by what its plain process lists", async () => {
  const memory = listMemory(await listsOf(["echo", "ask"]));
  const { server } = openManaged({
    era: "legacy",
    listMemory: memory,
    behave: () =>
      wellBehaved(["echo"], {
        initialize: (message, pipe) => {
          if (JSON.stringify(message.params).includes("elicitation")) pipe.end({ code: 1 });
          else wellBehaved()(message, pipe);
        },
      }),
  });
  begin(server);
  await settled();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["echo"]);
});

test("a call to a cold server waits for its own start alone, not for lists of others", async () => {
  const { server, pipes } = openManaged({
    era: "legacy",
    behave: () => (message, pipe) => {
      const listing = JSON.stringify(pipe.received("initialize")).includes("elicitation");
      (listing ? silent : wellBehaved())(message, pipe);
    },
  });
  const { events } = begin(server);
  await settled();
  assert.equal(events.length, 2);
  assert.equal(pipes.length, 2);
});
