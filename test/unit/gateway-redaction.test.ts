import assert from "node:assert/strict";
import { test } from "node:test";
import { settled } from "../support/settled.ts";
import { openGateway, pipeOf } from "../support/gateway.ts";
import { hanging, wellBehaved } from "../support/pipe.ts";

/** A gateway whose server "a" knows the secret "hunter2". */
async function open(redact = (text: string) => text.replaceAll("hunter2", "[secret PASSWORD]")) {
  const bench = openGateway({ a: { behave: hanging, redact } });
  await bench.gateway.start();
  return { ...bench, pipe: pipeOf(bench) };
}

test("a secret in a result does not leave the runner, and the rest keeps its bytes", async () => {
  const { callTool, pipe } = await open();
  const events = callTool("a__echo");
  await settled();
  pipe.say('{"jsonrpc":"2.0","id":3,"result":{"a" : "x hunter2","content":[], "n":1.0}}');
  assert.equal(events[1], 'result {"a" : "x [secret PASSWORD]","content":[], "n":1.0}');
});

test("a modern caller gets what it needs around a result that was cleaned", async () => {
  const { callTool, pipe } = await open();
  const events = callTool("a__echo", "", { protocolVersion: "2026-07-28" });
  await settled();
  pipe.say(
    '{"jsonrpc":"2.0","id":3,"result":{"x":"hunter2","_meta":{"y":"hunter2"},"content":[]}}',
  );
  const result = JSON.parse((events[1] ?? "").slice("result ".length)) as {
    readonly x: string;
    readonly _meta: Readonly<Record<string, unknown>>;
  };
  assert.equal(result.x, "[secret PASSWORD]");
  assert.equal(result._meta["y"], "[secret PASSWORD]");
  assert.ok("io.modelcontextprotocol/serverInfo" in result._meta);
});

test("a secret in progress or in an error does not leave the runner", async () => {
  const { callTool, pipe } = await open();
  const events = callTool("a__echo", ',"_meta":{"progressToken":"p"}');
  await settled();
  const params = { progressToken: 3, progress: 1, message: "hunter2" };
  pipe.say({ method: "notifications/progress", params });
  pipe.say({ id: 3, error: { code: -32000, message: "no hunter2", data: ["hunter2"] } });
  assert.equal(events.length, 3);
  for (const event of events) assert.doesNotMatch(event, /hunter2/);
  assert.equal(events.join().match(/secret PASSWORD/g)?.length, 3);
});

test("an answer that is no JSON any more without its secret is not passed on", async () => {
  const { callTool, pipe, journal } = await open((text) => text.replace('"hunter2"', "gone"));
  const events = callTool("a__echo");
  await settled();
  pipe.say({ id: 3, result: { x: "hunter2" } });
  assert.match(events[1] ?? "", /no JSON without its secrets.*"executed":"yes"/);
  assert.equal(journal.length, 1);
});

test("a secret in what a server lists does not leave the runner", async () => {
  const told = '{"name":"echo","description":"use hunter2","inputSchema":{"type":"object"}}';
  const bench = openGateway({
    a: {
      redact: (text) => text.replaceAll("hunter2", "[secret PASSWORD]"),
      behave: () =>
        wellBehaved([], {
          "tools/list": ({ id }, pipe) =>
            pipe.say(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[${told}]}}`),
        }),
    },
  });
  await bench.gateway.start();
  const offered = JSON.stringify(bench.gateway.offer());
  assert.match(offered, /use \[secret PASSWORD\]/);
  assert.doesNotMatch(offered, /hunter2/);
});
