import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { CommandsServer } from "../../runner/commands-server/server.ts";
import { briefMemory } from "../../runner/server/era.ts";
import { Server } from "../../runner/server/server.ts";
import { begin } from "../support/exchange.ts";
import { eventually } from "../support/eventually.ts";

const SCHEMA = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}';

test("to the runner a server of commands is one as any other: lists, calls, an end", async () => {
  const ran: unknown[] = [];
  const server = new Server({
    name: "probe",
    clock: systemClock,
    log: () => {},
    changed: () => {},
    eraMemory: briefMemory(),
    launch: () =>
      Promise.resolve(
        new CommandsServer({
          name: "probe",
          callMs: 10_000,
          tools: [{
            name: "count",
            description: "Counts",
            inputSchema: SCHEMA,
            image: "ada/count",
            command: ["{{n}}"],
            volumes: [],
          }],
          run: (_tool, args) => {
            ran.push(args);
            return Promise.resolve({
              stdout: { text: "5", isCut: false },
              stderr: { text: "", isCut: false },
              code: 0,
              oomKilled: false,
              warnings: [],
            });
          },
        }),
      ),
  });
  await server.start();
  assert.equal(server.era, "legacy");
  assert.deepEqual(server.lists?.tools.map(({ raw }) => JSON.parse(raw) as unknown), [
    { name: "count", description: "Counts", inputSchema: JSON.parse(SCHEMA) as unknown },
  ]);
  const { events } = begin(server, { params: '{"name":"count","arguments":{"n":5}}' });
  const result = await eventually(
    "a result",
    () => Promise.resolve(events.find((event) => event.startsWith("result "))),
  );
  assert.match(result, /"text":"5"/);
  assert.deepEqual(ran, [{ n: 5 }]);
  await server.stop();
});
