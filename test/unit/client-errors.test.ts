import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway } from "../../runner/gateway/gateway.ts";
import { NO_TASKS } from "../../runner/task/policy.ts";
import { type ErrorCode, failureTable, GatewayError } from "../../src/errors.ts";
import { DENY_ALL } from "../../src/policy/allowlist.ts";
import { ALL_BUT_SECRET, errorOf, recordedReply } from "../support/gateway.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { type ManagedOptions, openManaged } from "../support/managed.ts";
import { hanging } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";
import { connectTo, serveHttp } from "../support/upstream.ts";

/** What a message for strangers must not have in it: all of it comes from the owner's machine. */
const PRIVATE =
  "/home/ann/.ssh registry.corp:5000/notes@sha256:abcdef github.token unix:///var/run/docker.sock";

/** One server named "probe" behind a gateway; gives what a caller is told, and what is written down. */
function openOne(options: ManagedOptions, forOwner = false) {
  const bench = openManaged({ clock: fakeClock(), ...options });
  const gateway = new Gateway({
    runner: "runner-1",
    clock: bench.clock,
    log: () => {},
    journal: { write: (event) => void journal.push(JSON.stringify(event)), close: async () => {} },
    servers: [{
      server: bench.server,
      prefix: "",
      rules: { tools: ALL_BUT_SECRET, prompts: DENY_ALL, resources: DENY_ALL },
      tasks: NO_TASKS,
      transport: "stdio",
    }],
    forOwner,
  });
  const journal: string[] = [];
  const call = async (name = "echo") => {
    const { reply, events } = recordedReply();
    gateway.call({
      id: crypto.randomUUID(),
      method: "tools/call",
      params: `{"name":"${name}","arguments":{}}`,
      deadlineMs: 60_000,
      protocolVersion: "2025-11-25",
      clientCapabilities: {},
      // A worker can say this of anybody.
      caller: { client: "cli" },
    }, reply);
    await settled();
    return events;
  };
  return { ...bench, call, journal };
}

/** All but what tells nothing of the inside anyway, and what no start fails with. */
const CODES = (Object.keys(failureTable) as ErrorCode[]).filter((code) =>
  code !== "internal" && code !== "unknown_resource"
);

test("whatever a start fails with, strangers are told of no path, image, secret or engine", async () => {
  for (const code of CODES) {
    const launched = () => Promise.reject(new GatewayError(code, `Cannot do it: ${PRIVATE}`));
    const bench = openOne({ launched });
    const { message, data } = errorOf(await bench.call());
    assert.equal(data.code, code);
    assert.match(
      message,
      /^Cannot start server "probe"(: [a-z ,]+)?; its owner sees why with "mcp-runner inspect probe"$/,
    );
    assert.ok(bench.server.failure?.message.includes(PRIVATE), code);
    assert.ok(bench.journal.join("\n").includes(PRIVATE), code);
  }
});

test("the owner, who asks on the machine itself, is told everything", async () => {
  const launched = () => Promise.reject(new GatewayError("image_missing", `No image: ${PRIVATE}`));
  const { message } = errorOf(await openOne({ launched }, true).call());
  assert.equal(message, `No image: ${PRIVATE}`);
});

test("of a crash strangers are told how it ended, and only the owner what its files are called", async () => {
  const bench = openOne({ behave: () => hanging() });
  await bench.server.start();
  const events = bench.call();
  await settled();
  bench.pipes[0]?.complain("Error: EROFS: read-only file system, open '/srv/accounts/ledger.db'");
  bench.pipes[0]?.end({ code: 1 });
  await settled();
  const { message } = errorOf(await events);
  assert.equal(message, 'Server "probe" ended during the call: it exited with code 1');
  assert.match(bench.log.at(-1)?.message ?? "", /it writes to \/srv\/accounts\/ledger\.db/);
  assert.match(bench.journal.join("\n"), /it writes to \/srv\/accounts\/ledger\.db/);
});

test("of a remote server strangers are not told where it is", async (t) => {
  const site = await serveHttp(t, (_got, response) => void response.writeHead(503).end());
  const { ask, lines, process } = await connectTo(t, site.url);
  await ask({ id: 1, method: "initialize" });
  const [line = ""] = lines;
  const { error } = JSON.parse(line) as { readonly error: { readonly message: string } };
  assert.equal(
    error.message,
    "The upstream of the server takes no more requests now: try again later",
  );
  const own = process.failureOf?.(JSON.stringify(error));
  assert.ok(own?.message.startsWith(`Upstream ${new URL(site.url).host} takes no more requests`));
});

test("a login that ran out in the middle of a call is a matter for the owner", async () => {
  const bench = openOne({ behave: () => hanging(), era: "legacy" });
  await bench.server.start();
  const pipe = bench.pipes[0];
  assert.ok(pipe);
  const failureOf = () => new GatewayError("login_required", `It wants credentials: ${PRIVATE}`);
  Object.assign(pipe, { failureOf });
  const events = bench.call();
  await settled();
  const [{ id } = {}] = pipe.received("tools/call");
  pipe.say({ id, error: { code: 1015, message: "Its text" } });
  const { message } = errorOf(await events);
  assert.match(message, /^Cannot use server "probe": it wants its owner to log in; its owner sees/);
  assert.match(
    bench.journal.join("\n"),
    /"outcome":"failed","executed":"no","code":"login_required"/,
  );
});
