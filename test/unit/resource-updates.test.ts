/** What servers of both eras tell of resources that somebody listens to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceListener } from "../../runner/server/exchange.ts";
import { type Behaviour, type Message, modern, type Pipe, wellBehaved } from "../support/pipe.ts";
import { type Bench, openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const LEGACY = { tools: {}, resources: { subscribe: true, listChanged: true } };

function heard(): { readonly listener: ResourceListener; readonly events: readonly string[] } {
  const events: string[] = [];
  return {
    events,
    listener: {
      updated: (uri, notification) => void events.push(`${uri} ${notification}`),
      ended: ({ code }) => void events.push(`ended ${code}`),
    },
  };
}

function legacy(capabilities: object = LEGACY, instead: Record<string, Behaviour> = {}): Bench {
  const empty: Behaviour = ({ id }, pipe) => pipe.say({ id, result: {} });
  return openServer({
    behave: () =>
      wellBehaved(["echo"], {
        initialize: ({ id }, pipe) =>
          pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities } }),
        "resources/list": empty,
        "resources/templates/list": empty,
        "resources/subscribe": empty,
        "resources/unsubscribe": empty,
        ...instead,
      }),
  });
}

function update(uri: string): object {
  return { method: "notifications/resources/updated", params: { uri } };
}

const uris = (pipe: Pipe | undefined, method: string) =>
  pipe?.received(method).map(({ params }) => params?.["uri"]);

test("a legacy server is subscribed to once for each URI, until nobody listens", async () => {
  const { server, pipes } = legacy();
  const [one, two] = [heard(), heard()];
  const leaveOne = server.listen(["x://a", "x://b"], one.listener);
  const leaveTwo = server.listen(["x://a"], two.listener);
  await settled();
  assert.deepEqual(uris(pipes[0], "resources/subscribe"), ["x://a", "x://b"]);
  leaveOne();
  leaveOne();
  assert.deepEqual(uris(pipes[0], "resources/unsubscribe"), ["x://b"]);
  leaveTwo();
  assert.deepEqual(uris(pipes[0], "resources/unsubscribe"), ["x://b", "x://a"]);
});

test("updates reach those who listen to the resource or to what it is part of", async () => {
  const { server, pipes } = legacy();
  const [exact, whole, other] = [heard(), heard(), heard()];
  server.listen(["x://a/1"], exact.listener);
  server.listen(["x://a"], whole.listener);
  server.listen(["x://ab"], other.listener);
  await settled();
  pipes[0]?.say(update("x://a/1"));
  const told = `x://a/1 ${JSON.stringify({ jsonrpc: "2.0", ...update("x://a/1") })}`;
  assert.deepEqual([exact.events, whole.events, other.events], [[told], [told], []]);
});

test("who listens is told when the process has ended, and may listen again", async () => {
  const { server, pipes } = legacy();
  const { listener, events } = heard();
  server.listen(["x://a", "x://b"], listener);
  await settled();
  pipes[0]?.end({ code: 1 });
  await settled();
  assert.deepEqual(events, ["ended server_failed"]);
  server.listen(["x://a"], listener);
  await settled();
  assert.deepEqual(uris(pipes.at(-1), "resources/subscribe"), ["x://a"]);
});

test("a server that refuses one URI still tells of the others", async () => {
  const { server, pipes } = legacy(LEGACY, {
    "resources/subscribe": ({ id, params }, pipe) =>
      params?.["uri"] === "x://bad"
        ? pipe.say({ id, error: { code: -32602, message: "no" } })
        : pipe.say({ id, result: {} }),
  });
  const [bad, good] = [heard(), heard()];
  server.listen(["x://bad"], bad.listener);
  server.listen(["x://good"], good.listener);
  await settled();
  pipes[0]?.say(update("x://good"));
  assert.deepEqual(bad.events, ["ended server_failed"]);
  assert.equal(good.events.length, 1);
});

test("a server that tells of no updates is not asked for them", async () => {
  const { server, pipes } = legacy({ tools: {}, resources: {} });
  await server.start();
  server.listen(["x://a"], heard().listener);
  await settled();
  assert.deepEqual(uris(pipes[0], "resources/subscribe"), []);
});

/** A modern server whose subscriptions a test acknowledges. */
async function openModern() {
  const empty: Behaviour = ({ id }, pipe) => pipe.say({ id, result: {} });
  const bench = openServer({
    remembered: "modern",
    behave: () =>
      modern(["echo"], { "resources/list": empty, "resources/templates/list": empty }, LEGACY),
  });
  await bench.server.start();
  const [pipe] = bench.pipes as readonly [Pipe];
  const listens = (): readonly Message[] => pipe.received("subscriptions/listen");
  const say = (id: number | undefined, method: string, params: object = {}): void =>
    pipe.say({
      method,
      params: { ...params, _meta: { "io.modelcontextprotocol/subscriptionId": id } },
    });
  const acknowledge = (): number | undefined => {
    const id = listens().at(-1)?.id;
    say(id, "notifications/subscriptions/acknowledged", { notifications: {} });
    return id;
  };
  return { ...bench, pipe, listens, acknowledge, say };
}

test("a modern server is asked by one request for its lists and all resources", async () => {
  const { server, listens, acknowledge } = await openModern();
  acknowledge();
  server.listen(["x://b"], heard().listener);
  server.listen(["x://a", "x://b"], heard().listener);
  assert.deepEqual(listens().map(({ params }) => params?.["notifications"]), [
    { toolsListChanged: true, resourcesListChanged: true },
    { toolsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ["x://b"] },
    {
      toolsListChanged: true,
      resourcesListChanged: true,
      resourceSubscriptions: ["x://a", "x://b"],
    },
  ]);
});

test("a new set of resources takes over once it is acknowledged, and nothing is told twice", async () => {
  const { server, pipe, acknowledge, say } = await openModern();
  const { listener, events } = heard();
  server.listen(["x://a"], listener);
  const old = acknowledge();
  server.listen(["x://b"], heard().listener);
  assert.deepEqual(
    pipe.received("notifications/cancelled").map(({ params }) => params?.["requestId"] === old),
    [false],
  );
  say(old, "notifications/resources/updated", { uri: "x://a" });
  const young = acknowledge();
  say(old, "notifications/resources/updated", { uri: "x://a" });
  say(young, "notifications/resources/updated", { uri: "x://a" });
  assert.equal(events.length, 2);
  assert.equal(pipe.received("notifications/cancelled").at(-1)?.params?.["requestId"], old);
  assert.equal(
    events[0],
    'x://a {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://a"}}',
  );
});

test("a subscription that the server ends is asked for again a second later", async () => {
  const { clock, pipe, listens, acknowledge } = await openModern();
  const id = acknowledge();
  pipe.say({ id, result: { resultType: "complete", _meta: {} } });
  assert.equal(listens().length, 1);
  clock.advance(1_000);
  assert.equal(listens().length, 2);
  pipe.say({ method: "notifications/cancelled", params: { requestId: acknowledge() } });
  clock.advance(1_000);
  assert.equal(listens().length, 3);
});

test("a server that refuses subscriptions is good for all the rest", async () => {
  const { server, pipe, listens } = await openModern();
  const { listener, events } = heard();
  server.listen(["x://a"], listener);
  pipe.say({ id: listens().at(-1)?.id, error: { code: -32601, message: "Method not found" } });
  assert.deepEqual(events, ["ended server_failed"]);
  assert.equal(pipe.ended, false);
});

test("who listens to a modern server is told when its process has ended", async () => {
  const { server, pipe } = await openModern();
  const { listener, events } = heard();
  server.listen(["x://a"], listener);
  pipe.end({ code: 1 });
  await settled();
  assert.deepEqual(events, ["ended server_failed"]);
});
