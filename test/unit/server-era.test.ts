/** Of which era a server is, found out on the process that then serves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KNOWN_MODERN_TIMEOUT_MS, PROBE_TIMEOUT_MS } from "../../runner/server/discover.ts";
import type { EraMemory } from "../../runner/server/era.ts";
import { begin } from "../support/exchange.ts";
import { type Behaviour, modern, type Pipe, silent, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const methods = (pipe: Pipe | undefined) => pipe?.received().map(({ method }) => method);

test("a server that can be discovered is modern: one process, and no handshake", async () => {
  const { server, pipes } = openServer({ behave: () => modern(["a"]), remembered: "nothing" });
  await server.start();
  assert.equal(pipes.length, 1);
  assert.deepEqual(methods(pipes[0]), ["server/discover", "tools/list", "subscriptions/listen"]);
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["a"]);
  const meta = pipes[0]?.received("tools/list")[0]?.params?.["_meta"] as Record<string, unknown>;
  assert.equal(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
});

const legacyAnswers: Array<[what: string, code: number]> = [
  ["that it does not know the method", -32601],
  ["that the params are wrong", -32602],
  ["that it is not initialized", -32000],
  ["something of its own", 7],
];

for (const [what, code] of legacyAnswers) {
  test(`a server that answers the probe with ${what} is legacy, on the same process`, async () => {
    const { server, pipes } = openServer({
      remembered: "nothing",
      behave: () =>
        wellBehaved(["a"], {
          "server/discover": ({ id }, pipe) => pipe.say({ id, error: { code, message: "no" } }),
        }),
    });
    await server.start();
    assert.deepEqual(methods(pipes[0]), [
      "server/discover",
      "initialize",
      "notifications/initialized",
      "tools/list",
    ]);
    assert.equal(pipes[1]?.received("server/discover").length, 0);
  });
}

test("a server that does not answer the probe within a second is legacy", async () => {
  const { server, pipes, clock } = openServer({
    remembered: "nothing",
    behave: () => wellBehaved(["a"], { "server/discover": silent }),
  });
  const starting = server.start();
  await settled();
  clock.advance(PROBE_TIMEOUT_MS - 1);
  await settled();
  assert.deepEqual(methods(pipes[0]), ["server/discover"]);
  clock.advance(1);
  await starting;
  assert.equal(pipes[0]?.received("initialize").length, 1);
});

/** A modern server that answers its first probe with an error. */
function refusing(error: object): () => Behaviour {
  return () => {
    const usual = modern(["a"]);
    return modern(["a"], {
      "server/discover": (message, pipe) =>
        pipe.received("server/discover").length === 1
          ? pipe.say({ id: message.id, error: { message: "no", ...error } })
          : usual(message, pipe),
    });
  };
}

for (
  const error of [
    { code: -32022, data: { supported: ["2026-07-28"], requested: "x" } },
    { code: -32021, data: { requiredCapabilities: {} } },
    { code: -32020 },
  ]
) {
  test(`a server that refuses the probe with ${error.code} is modern, and is asked again`, async () => {
    const { server, pipes } = openServer({ behave: refusing(error), remembered: "nothing" });
    await server.start();
    assert.equal(pipes[0]?.received("initialize").length, 0);
    assert.equal(server.lists?.tools.length, 1);
  });
}

test("a server of versions that are not served fails, and says which they are", async () => {
  const data = { supported: ["2027-01-01"], requested: "2026-07-28" };
  const { server, pipes } = openServer({
    behave: refusing({ code: -32022, data }),
    remembered: "nothing",
  });
  await assert.rejects(server.start(), { code: "server_failed", message: /not served: .*2027/ });
  assert.equal(pipes[0]?.received("initialize").length, 0);
});

test("a modern server that has a legacy revision beside an unknown one is met by that", async () => {
  const { server } = openServer({
    remembered: "nothing",
    behave: () =>
      wellBehaved(["a"], {
        "server/discover": ({ id }, pipe) =>
          pipe.say({
            id,
            result: { supportedVersions: ["2027-01-01", "2025-11-25"], capabilities: {} },
          }),
      }),
  });
  await server.start();
  assert.equal(server.lists?.tools.length, 1);
});

test("a modern server that is slow to say so is started again, and met as what it is", async () => {
  let starts = 0;
  const { server, pipes, clock } = openServer({
    remembered: "nothing",
    behave: () =>
      ++starts > 1 ? modern(["a"]) : modern(["a"], {
        "server/discover": silent,
        initialize: ({ id }, pipe) => {
          const [probe] = pipe.received("server/discover");
          modern()({ ...(probe?.id && { id: probe.id }), method: "server/discover" }, pipe);
          pipe.say({ id, error: { code: -32601, message: "Method not found" } });
        },
      }),
  });
  const starting = server.start();
  await settled();
  clock.advance(PROBE_TIMEOUT_MS);
  await starting;
  assert.deepEqual(pipes.map(({ ended }) => ended), [true, false]);
  assert.deepEqual(methods(pipes[1])?.slice(0, 2), ["server/discover", "tools/list"]);
});

test("a server known as modern has more time, and is legacy when it uses that up", async () => {
  const { server, pipes, clock } = openServer({
    remembered: "modern",
    behave: () => wellBehaved(["a"], { "server/discover": silent }),
  });
  const starting = server.start();
  await settled();
  clock.advance(KNOWN_MODERN_TIMEOUT_MS - 1);
  await settled();
  assert.equal(pipes[0]?.received("initialize").length, 0);
  clock.advance(1);
  await starting;
  assert.equal(server.lists?.tools.length, 1);
});

test("a server remembered as legacy that will not be initialized is asked again the next time", async () => {
  const { server, clock } = openServer({ behave: () => modern(["a"]), remembered: "legacy" });
  await assert.rejects(server.start());
  clock.advance(60_000);
  await server.start();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["a"]);
});

test("the verdict is remembered once, and not renewed by every start", async () => {
  const set: string[] = [];
  const memory: EraMemory = {
    get: () => set.at(-1) as "legacy" | undefined,
    set: (era) => void set.push(era),
  };
  const { server, pipes } = openServer({ memory });
  await server.start();
  await server.rest();
  begin(server);
  await settled();
  assert.equal(pipes.length, 3);
  assert.deepEqual(set, ["legacy"]);
});
