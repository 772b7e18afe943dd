/**
 * Tools and prompts that are not what was agreed to are not there: in no list, and by no way in.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GatewayServer } from "../../runner/gateway/gateway-server.ts";
import { nameTableOf } from "../../runner/gateway/name-table.ts";
import type { ServerLists } from "../../runner/server/listed.ts";
import { RELIST_DELAY_MS } from "../../runner/server/instance.ts";
import { LISTING_IDLE_MS } from "../../runner/server/legacy-server.ts";
import { expose } from "../../src/mcp/name.ts";
import { type Behaviour, modern, tool, wellBehaved } from "../support/pipe.ts";
import { errorOf, openGateway } from "../support/gateway.ts";
import { ALLOW_ALL, entryOf, openPins, toolsOf } from "../support/pins.ts";
import { settled } from "../support/settled.ts";

/** Milliseconds until a server that lists often is asked again. */
const RELIST_INTERVAL_MS = 1_000;

const ALL_BUT_DENIED = { allow: ["*"], deny: ["denied", "secret-*", "file:///denied*"] };

/** A server that lists `tools` as they are given. */
function listing(tools: () => readonly object[]): () => Behaviour {
  return () =>
    wellBehaved([], {
      "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools: tools() } }),
    });
}

const names = ({ gateway }: ReturnType<typeof openGateway>) =>
  gateway.offer().servers.flatMap(({ tools }) => tools.map(({ key }) => key));

test("a tool that changes while its server runs leaves the offer, and comes back as it was", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  let description = "Tidies up";
  const behave = listing(() => [{ ...tool("tidy"), description }, tool("other")]);
  const opened = openGateway({ a: { behave, pins: pins.of("a") } });
  const { gateway, servers, clock } = opened;
  await gateway.start();
  // From here on the process that only lists is gone.
  clock.advance(LISTING_IDLE_MS);
  await settled();
  assert.deepEqual(names(opened), ["a__tidy", "a__other"]);
  const change = async (to: string) => {
    description = to;
    servers["a"]?.pipes[0]?.say({ method: "notifications/tools/list_changed" });
    clock.advance(RELIST_DELAY_MS);
    await settled();
    clock.advance(RELIST_INTERVAL_MS);
  };
  await change("Tidies up\u200b");
  assert.deepEqual(names(opened), ["a__other"]);
  const events = opened.callTool("a__tidy");
  await settled();
  const { code, data, message } = errorOf(events);
  assert.deepEqual([code, data.code, message], [-32602, "unknown_tool", "Unknown tool: a__tidy"]);
  assert.deepEqual(gateway.problems("a"), [{
    kind: "changed",
    list: "tools",
    key: "tidy",
    why: "has changed since it was agreed to (description), and is hidden",
    fix: 'see what has changed and agree to it with "mcp-runner approve a"',
  }]);
  assert.equal(bench.warnings.length, 1);
  await change("Tidies up");
  assert.deepEqual(names(opened), ["a__tidy", "a__other"]);
  assert.deepEqual(gateway.problems("a"), []);
});

test("what a person agrees to elsewhere is offered without a new listing", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(toolsOf(entryOf("tidy", { description: "Before" })), ALLOW_ALL);
  await pins.settled();
  const opened = openGateway({ a: { behave: () => wellBehaved(["tidy"]), pins: pins.of("a") } });
  await opened.gateway.start();
  assert.deepEqual(names(opened), []);
  const approving = await bench.open();
  await approving.accept("a", approving.changes("a", toolsOf(entryOf("tidy"))));
  await pins.reload();
  assert.deepEqual(names(opened), ["a__tidy"]);
});

test("a hidden tool keeps its name: a call that was meant for it reaches no other server", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(toolsOf(entryOf("send", { description: "Before" })), ALLOW_ALL);
  const behave = () => wellBehaved(["send"]);
  const opened = openGateway({
    a: { behave, prefix: "", pins: pins.of("a") },
    b: { behave, prefix: "", pins: pins.of("b") },
  });
  await opened.gateway.start();
  assert.deepEqual(names(opened), []);
  const events = opened.callTool("send");
  await settled();
  assert.equal(errorOf(events).data.code, "unknown_tool");
  assert.deepEqual(opened.gateway.problems("b").map(({ kind }) => kind), ["collision"]);
  assert.deepEqual(opened.received(), []);
});

test("a hidden tool keeps its name, also when it has become one that cannot be offered over HTTP", async () => {
  await using bench = await openPins();
  const pins = (await bench.open()).of("a");
  pins.judge(toolsOf(entryOf("send")), ALLOW_ALL);
  const properties = { to: { type: "string", "x-mcp-header": "no header" } };
  const broken = toolsOf(entryOf("send", { inputSchema: { type: "object", properties } }));
  const server = (name: string, lists: ServerLists) =>
    ({
      server: { name, lists },
      prefix: "",
      rules: ALLOW_ALL,
      transport: "http",
    }) as unknown as GatewayServer;
  const servers = [server("a", broken), server("b", toolsOf(entryOf("send")))];
  const { targets, leftOut } = nameTableOf(servers, "tools", pins.judge(broken, ALLOW_ALL));
  assert.deepEqual([...targets.keys()], []);
  assert.deepEqual(leftOut.map(({ changed, takenBy }) => changed ?? takenBy), [true, "a"]);
  assert.deepEqual([...nameTableOf(servers, "tools").targets.keys()], ["send"]);
});

test("a server without pins is offered as it is", async () => {
  const opened = openGateway({ a: { behave: () => wellBehaved(["tidy"]) } });
  await opened.gateway.start();
  assert.deepEqual(names(opened), ["a__tidy"]);
});

/** A number below `n`, the same in each run. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
}

/** Own names that no request may bring to a server. */
const FORBIDDEN = ["denied", "changed", "secret-1", `secret-${"x".repeat(100)}`];

/** What answers everything, of both eras. */
const ANSWERS: Readonly<Record<string, Behaviour>> = {
  "tools/list": ({ id }, pipe) =>
    pipe.say({ id, result: { tools: ["good", ...FORBIDDEN].map(tool) } }),
  "prompts/list": ({ id }, pipe) =>
    pipe.say({ id, result: { prompts: ["good", ...FORBIDDEN].map((name) => ({ name })) } }),
  "resources/list": ({ id }, pipe) => {
    const uris = ["file:///good", "file:///denied"];
    pipe.say({ id, result: { resources: uris.map((uri) => ({ uri, name: uri })) } });
  },
  "resources/templates/list": ({ id }, pipe) => {
    const templates = ["file:///good/{x}", "file:///denied/{x}"];
    const resourceTemplates = templates.map((uriTemplate) => ({ uriTemplate, name: "t" }));
    pipe.say({ id, result: { resourceTemplates } });
  },
  "tools/call": ({ id }, pipe) => {
    const link = { type: "resource_link", uri: "file:///denied", name: "denied" };
    pipe.say({ id, result: { resultType: "complete", content: [link] } });
  },
  "prompts/get": ({ id }, pipe) => pipe.say({ id, result: { messages: [] } }),
  "resources/read": ({ id }, pipe) => pipe.say({ id, result: { contents: [] } }),
  "completion/complete": ({ id }, pipe) => pipe.say({ id, result: { completion: { values: [] } } }),
};
const CAPABILITIES = { tools: {}, prompts: {}, resources: {}, completions: {} };

for (const era of ["legacy", "modern"] as const) {
  for (const prefix of ["", "a__", "a_"]) {
    test(`no request of any kind brings a ${era} server with the prefix "${prefix}" what is denied or has changed`, async () => {
      await using bench = await openPins();
      const pins = await bench.open();
      const before = { description: "Before" };
      pins.of("a").judge({
        ...toolsOf(entryOf("changed", before)),
        prompts: [{ key: "changed", raw: JSON.stringify({ name: "changed", ...before }) }],
      }, ALLOW_ALL);
      const initialize: Behaviour = ({ id }, pipe) =>
        pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities: CAPABILITIES } });
      const behave = () =>
        era === "legacy"
          ? wellBehaved([], { initialize, ...ANSWERS })
          : modern([], ANSWERS, CAPABILITIES);
      const opened = openGateway({
        a: {
          behave,
          prefix,
          remembered: era,
          rules: ALL_BUT_DENIED,
          others: ALL_BUT_DENIED,
          pins: pins.of("a"),
        },
        b: { behave: () => wellBehaved(["good"]), pins: pins.of("b") },
      });
      await opened.gateway.start();
      const offered = JSON.stringify(opened.gateway.offer());
      for (const name of FORBIDDEN) assert.doesNotMatch(offered, new RegExp(`"${name}"`));
      const roll = dice(7);
      const pick = <T>(from: readonly T[]): T => from[roll(from.length)] as T;
      const uris = ["file:///denied", "file:///denied/x", "file:///denied/{x}"];
      const asked = (own: string) =>
        pick([
          own,
          prefix + own,
          expose(prefix, own),
          `a__${own}`,
          `b__${own}`,
          `a__a__${own}`,
          ` ${own}`,
          `${prefix}${own}\u0000`,
          `mcpr.a+${own}`,
          own.toUpperCase(),
        ]);
      const name = () => JSON.stringify(asked(pick(FORBIDDEN)));
      const uri = () => JSON.stringify(pick([(it: string) => it, asked])(pick(uris)));
      const extra = () =>
        pick([
          "",
          ',"arguments":{}',
          ',"arguments":{"name":"changed"}',
          ',"name":"a__good"',
          ',"task":{"ttl":1000}',
          ',"requestState":"x","inputResponses":{}',
          ',"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"changed"}}',
        ]);
      const requests: ReadonlyArray<readonly [method: string, params: () => string]> = [
        ["tools/call", () => `{"name":${name()}${extra()}}`],
        ["tools/call", () => `{"name":"a__good","n\\u0061me":${name()}}`],
        ["prompts/get", () => `{"name":${name()}${extra()}}`],
        [
          "completion/complete",
          () =>
            `{"ref":{"type":"ref/prompt","name":${name()}},"argument":{"name":"x","value":"y"}}`,
        ],
        [
          "completion/complete",
          () =>
            `{"ref":{"type":"ref/resource","uri":${uri()}},"argument":{"name":"x","value":"y"}}`,
        ],
        ["resources/read", () => `{"uri":${uri()}}`],
        [
          "subscriptions/listen",
          () => `{"notifications":{"resourceSubscriptions":[${uri()}],"toolsListChanged":true}}`,
        ],
        ["tasks/get", () => `{"taskId":${name()}}`],
        ["tasks/update", () => `{"taskId":${name()},"inputResponses":{}}`],
        ["tasks/cancel", () => `{"taskId":${name()}}`],
        ["tools/list", () => "{}"],
      ];
      let good = 0;
      for (let n = 0; n < 1_500; n++) {
        const [method, params] = pick(requests);
        const protocolVersion = pick(["2025-11-25", "2026-07-28"]);
        opened.call({ method, params: params(), protocolVersion });
        if (n % 100 === 0) {
          opened.callTool(`${prefix}good`);
          good++;
        }
        if (n % 50 === 0) await settled();
      }
      await settled();
      const lines = opened.servers["a"]?.pipes.flatMap((pipe) => pipe.received()) ?? [];
      const reached = lines.flatMap((
        { params },
      ) => [params?.["name"], params?.["uri"], params?.["ref"]])
        .map((what) => JSON.stringify(what) ?? "");
      assert.equal(reached.filter((what) => what === '"good"').length, good, "the server is there");
      for (const forbidden of [...FORBIDDEN, "file:///denied"]) {
        assert.deepEqual(reached.filter((what) => what.includes(`"${forbidden}`)), []);
      }
    });
  }
}
