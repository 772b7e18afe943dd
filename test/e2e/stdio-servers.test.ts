/** Servers of both eras, made of the official SDKs, as real processes: everything below the gateway. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { briefMemory, type Era } from "../../runner/server/era.ts";
import { Server } from "../../runner/server/server.ts";
import { systemClock } from "../../src/clock.ts";
import { eventually } from "../support/eventually.ts";
import { begin, type Begun } from "../support/exchange.ts";
import { type SdkEra, startSdkServer } from "../support/sdk-stdio-server.ts";

const ELICITATION = { elicitation: { form: {} } };

/** A server whose processes are children, and what it remembers of its era. */
function open(sdk: SdkEra) {
  const memory = briefMemory();
  const told: string[] = [];
  const server = new Server({
    name: sdk,
    clock: systemClock,
    log: () => {},
    changed: (lists) => void told.push(...lists),
    launch: async () => startSdkServer(sdk),
    eraMemory: memory,
  });
  return { server, memory, told };
}

/** The last event once the exchange has ended. */
function end({ events }: Begun): Promise<string> {
  return eventually("the exchange ends", async () => {
    const last = events.at(-1) ?? "";
    return /^(result|input|error|failed)/.test(last) ? last : undefined;
  });
}

const eras: readonly Era[] = ["legacy", "modern"];

for (const sdk of eras) {
  describe(`a ${sdk} server made of its SDK`, () => {
    const { server, memory, told } = open(sdk);
    after(() => server.stop());

    const keys = () => server.lists?.tools.map(({ key }) => key).toSorted();

    test("is met as what it is, and all its tools are known", async () => {
      await server.start();
      assert.equal(memory.get(), sdk);
      assert.deepEqual(keys(), ["ask", "echo", "grow", "slow"]);
    });

    test("answers a call", async () => {
      const params = '{"name":"echo","arguments":{"n":1}}';
      assert.match(await end(begin(server, { params })), /^result .*"text":"(\{\\"n\\":1\}|\{\})"/);
    });

    test("asks its client in the middle of a call", async () => {
      const params = '{"name":"ask","arguments":{}}';
      const first = begin(server, { params, capabilities: ELICITATION });
      await end(first);
      const { state, inputRequests } = first.question();
      const [[key, { method }] = ["", { method: "" }]] = Object.entries(inputRequests);
      assert.equal(method, "elicitation/create");
      const responses = { [key]: { action: "accept", content: { name: "Ada" } } };
      const second = begin(server, {
        params,
        capabilities: ELICITATION,
        input: { state, responses },
      });
      assert.match(await end(second), /"text":"accept Ada"/);
    });

    test("tells a client that cannot be asked what it lacks", async () => {
      const outcome = await end(begin(server, { params: '{"name":"ask","arguments":{}}' }));
      assert.match(outcome, /(failed missing_capability|"code":-32021).*"elicitation"/);
    });

    test("hears of a cancel, and serves the next call", async () => {
      const slow = begin(server, { params: '{"name":"slow","arguments":{}}' });
      await eventually("the call is accepted", async () => slow.events[0]);
      slow.withdraw("The client has left");
      await end(begin(server, { params: '{"name":"echo","arguments":{}}' }));
      assert.deepEqual(slow.events, ["accepted"]);
    });

    test("says that its tools have changed, and they are known soon", async () => {
      await end(begin(server, { params: '{"name":"grow","arguments":{}}' }));
      await eventually(
        "the new tool is listed",
        async () => keys()?.includes("grown") || undefined,
      );
      assert.deepEqual(told, ["tools"]);
    });
  });
}

describe("a legacy server made of its SDK", () => {
  const { server } = open("legacy");
  after(() => server.stop());

  test("logs to the one call that wants it", async () => {
    const slow = begin(server, { params: '{"name":"slow"}', logLevel: "info" });
    const note = await eventually("a message", async () => slow.events[1]);
    assert.match(note, /^note .*"data":"waiting"/);
    slow.withdraw("The client has left");
  });

  test("tells of updates of a resource that somebody listens to", async () => {
    const uris: string[] = [];
    const leave = server.listen(["note://a"], {
      updated: (uri) => void uris.push(uri),
      ended: () => {},
    });
    await eventually("an update", async () => uris[0]);
    leave();
    assert.deepEqual(uris, ["note://a"]);
  });
});
