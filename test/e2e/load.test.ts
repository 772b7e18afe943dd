/**
 * Many at once: no call is lost, doubled or mixed up, and no container is left or too many.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as v from "valibot";
import { connectEngine, type Engine } from "../../runner/docker/engine.ts";
import { OWNER_LABEL, SERVER_LABEL } from "../../runner/docker/label.ts";
import { eventually } from "../support/eventually.ts";
import { belongingsOf, NOTHING, ownersOf } from "../support/owner.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeEntry } from "../support/probe-server.ts";
import { connect, createMachine, type Machine } from "../support/runner.ts";
import type { Program } from "../support/program.ts";
import { type Answer, callTool, textOf } from "../support/tool-call.ts";
import { startWorker, type Worker } from "../support/worker.ts";

const CALLERS = 50;
const CALLS = 20;
const MANY = Array.from({ length: 20 }, (_, at) => `load-${at + 1}`);

const LIGHT = "    limits: { memory: 96m, cpus: 0.5, pids: 24 }\n";
/** Stopped a moment after a call, so that the next one finds it cold. */
const BRIEF = "    idle: 1s\n";

/** A line of the call log, as far as this file looks at it. */
const event = v.object({
  type: v.string(),
  call: v.optional(v.string()),
  server: v.optional(v.string()),
  outcome: v.optional(v.string()),
  code: v.optional(v.string()),
});

describe("many calls and many servers", () => {
  let engine: Engine;
  let worker: Worker;
  let machine: Machine;
  let runner: Program;
  let token: string;
  let owner: string;

  before(async () => {
    engine = await connectEngine();
    const image = await probeImage();
    const narrow = "    concurrency: 2\n    queue: 4\n";
    const entries = [
      probeEntry(image, "one"),
      probeEntry(image, "narrow") + narrow,
      ...MANY.map((name) => probeEntry(image, name) + LIGHT + BRIEF),
    ];
    worker = await startWorker("node");
    machine = await createMachine(`version: 1\nservers:\n${entries.join("")}`);
    runner = await connect(machine, worker);
    token = await machine.createToken("*");
    [owner = ""] = await ownersOf(machine);
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await worker?.stop();
  });

  const call = (name: string, args: Readonly<Record<string, unknown>>): Promise<Answer> =>
    callTool({ origin: worker.origin, token }, { name: `${name}__echo`, args });

  /** `times` calls of each of the callers, each after the last one; all answers with what was asked. */
  async function all(
    callers: readonly string[],
    times: number,
  ): Promise<readonly { readonly asked: string; readonly answer: Answer }[]> {
    const each = callers.map(async (server, caller) => {
      const answers: { asked: string; answer: Answer }[] = [];
      for (let nth = 0; nth < times; nth++) {
        const asked = `${server}/${caller}/${nth}`;
        answers.push({ asked, answer: await call(server, { asked }) });
      }
      return answers;
    });
    return (await Promise.all(each)).flat();
  }

  /** Whether the server got exactly this call, which it says as it read it. */
  const echoes = ({ asked, answer }: { readonly asked: string; readonly answer: Answer }) =>
    textOf(answer).includes(JSON.stringify({ asked }));

  /** Names of the servers with a running container, one for each container. */
  const running = async (): Promise<readonly string[]> => {
    const filters = { label: [`${OWNER_LABEL}=${owner}`] };
    const containers = await engine.docker.listContainers({ all: true, filters });
    return containers.map(({ Labels }) => Labels[SERVER_LABEL] ?? "");
  };

  /** Events of calls of these servers, in the call log. */
  const logged = async (servers: readonly string[]) => {
    const { stdout } = await machine.run("calls", "--json", "--limit", "10000");
    return stdout.trim().split("\n").map((line) => v.parse(event, JSON.parse(line)))
      .filter(({ server = "" }) => servers.includes(server));
  };

  test("50 callers x 20 calls to one server: each gets its own answer", async () => {
    const answers = await all(Array.from({ length: CALLERS }, () => "one"), CALLS);
    assert.equal(answers.length, CALLERS * CALLS);
    const wrong = answers.filter((it) => !echoes(it));
    assert.deepEqual(wrong, []);
    // One takes calls; another one lists, for a minute after the start.
    const ones = (await running()).filter((name) => name === "one");
    assert.ok(ones.length === 1 || ones.length === 2, `${ones.length} containers`);
  });

  test("the call log has one event for each of them", async () => {
    const events = await logged(["one"]);
    assert.equal(events.length, CALLERS * CALLS);
    assert.equal(new Set(events.map(({ call }) => call)).size, CALLERS * CALLS);
    assert.deepEqual(new Set(events.map(({ outcome }) => outcome)), new Set(["ok"]));
  });

  test("what is too much for a server is refused with a code, and the rest is answered", async () => {
    const answers = await all(Array.from({ length: CALLERS }, () => "narrow"), 4);
    const refused = answers.filter(({ answer }) => answer.error !== undefined);
    assert.ok(refused.length > 0);
    for (const { answer: { error } } of refused) {
      assert.equal(error?.data?.code, "overloaded");
      assert.equal(error.data.executed, "no");
    }
    const answered = answers.filter(({ answer }) => answer.error === undefined);
    assert.ok(answered.length > 0);
    assert.deepEqual(answered.filter((it) => !echoes(it)), []);

    const events = await logged(["narrow"]);
    assert.equal(events.length, answers.length);
    assert.equal(events.filter(({ outcome }) => outcome === "ok").length, answered.length);
    assert.equal(events.filter(({ code }) => code === "overloaded").length, refused.length);
  });

  test("20 cold servers called at once all start, each in one container", async () => {
    await eventually(
      "all are cold",
      async () => (await running()).every((name) => !MANY.includes(name)) || undefined,
      60_000,
    );
    const done = { yes: false };
    const answering = all(MANY, 5).finally(() => done.yes = true);
    let most = 0;
    while (!done.yes) {
      const now = (await running()).filter((name) => MANY.includes(name));
      assert.equal(new Set(now).size, now.length, "a server has two containers");
      most = Math.max(most, now.length);
    }
    const answers = await answering;
    assert.deepEqual(answers.filter((it) => !echoes(it)), []);
    assert.equal(answers.length, MANY.length * 5);
    assert.ok(most > 1 && most <= MANY.length, `${most} containers`);
    const events = await logged(MANY);
    assert.equal(new Set(events.map(({ call }) => call)).size, MANY.length * 5);
    assert.equal(events.length, MANY.length * 5);
  });

  test("nothing is left when it stops", async () => {
    assert.equal(await runner.stop("SIGTERM"), 0);
    assert.deepEqual(await belongingsOf(engine, owner), NOTHING);
  });
});
