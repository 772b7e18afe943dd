import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Confirm, openApprovals } from "../../runner/approval/approvals.ts";
import { type LaunchPlan, planHash, planLines } from "../../runner/approval/plan.ts";
import type { JournalEvent } from "../../runner/journal/event.ts";

const PLAN: LaunchPlan = {
  server: "notes",
  image: "ghcr.io/ada/notes:1",
  digest: `sha256:${"a".repeat(64)}`,
  command: ["/server", "--name", "my notes"],
  user: "65532:65532",
  variables: ["LANG"],
  secrets: ["TOKEN from store:notes.token"],
  mounts: ["/home/ada/notes:/notes:ro"],
  network: ["api.example.com:443"],
  optOuts: ["root"],
};

interface Bench extends AsyncDisposable {
  readonly home: string;
  readonly events: readonly JournalEvent[];
  open(by: "yes" | Confirm | undefined, config?: string): ReturnType<typeof openApprovals>;
}

async function openBench(): Promise<Bench> {
  const home = await mkdtemp(join(tmpdir(), "mcp-runner-approvals-"));
  const events: JournalEvent[] = [];
  const journal = {
    write: (event: JournalEvent) => void events.push(event),
    close: async () => {},
  };
  return {
    home,
    events,
    open: (by, config = "/home/ada/mcp-runner.yaml") =>
      openApprovals({ home, config, journal, by }),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true }),
  };
}

test("a plan shows everything that a server will be able to do", () => {
  assert.deepEqual(planLines(PLAN), [
    `  image      ghcr.io/ada/notes:1 (sha256:${"a".repeat(64)})`,
    '  command    /server --name "my notes"',
    "  user       65532:65532",
    "  variables  LANG",
    "  secrets    TOKEN from store:notes.token",
    "  files      /home/ada/notes:/notes:ro",
    "  network    api.example.com:443",
    "  isolation  without: root",
  ]);
});

test("what a plan shows cannot move the cursor or hide", () => {
  const lines = planLines({ ...PLAN, command: ["\u001b[2J", "‮"], variables: ["A\rB"] });
  // deno-lint-ignore no-control-regex -- that there are none is the claim
  assert.doesNotMatch(lines.join("\n"), /[\u0000-\u0009\u000b-\u001f\u202e]/);
});

test("a changed plan marks what has changed", () => {
  const changed = planLines({ ...PLAN, network: ["*:443"] }, PLAN);
  assert.deepEqual(changed.filter((line) => line.startsWith("*")), ["* network    *:443"]);
});

test("every part of a plan is part of its hash", async () => {
  const hash = await planHash(PLAN);
  for (const key of Object.keys(PLAN) as (keyof LaunchPlan)[]) {
    const value = PLAN[key];
    const other = { ...PLAN, [key]: typeof value === "string" ? `${value}2` : [...value, "2"] };
    assert.notEqual(await planHash(other), hash, key);
  }
});

test("nobody there: a server that nobody agreed to does not start, and the command is named", async () => {
  await using bench = await openBench();
  await assert.rejects(bench.open(undefined).check(PLAN), {
    code: "not_approved",
    message:
      'Cannot start server "notes": nobody has agreed to how it is run, see it and agree with "mcp-runner approve notes"',
  });
});

test("what a person agreed to is not asked again, also by a later runner; what changed is", async () => {
  await using bench = await openBench();
  const shown: string[] = [];
  const agree: Confirm = (lines) => {
    shown.push(lines[0] ?? "");
    return Promise.resolve(true);
  };
  const approvals = bench.open(agree);
  await approvals.check(PLAN);
  await approvals.check(PLAN);
  await bench.open(undefined).check(PLAN);
  assert.deepEqual(shown, ['Server "notes" is new:']);
  const moved = { ...PLAN, digest: `sha256:${"b".repeat(64)}` };
  await assert.rejects(bench.open(undefined).check(moved), /in another way than was agreed to/);
  await approvals.check(moved);
  assert.deepEqual(shown, ['Server "notes" is new:', 'Server "notes" has changed:']);
});

test("no is no, for this time", async () => {
  await using bench = await openBench();
  await assert.rejects(bench.open(() => Promise.resolve(false)).check(PLAN), {
    code: "not_approved",
  });
  await assert.rejects(bench.open(undefined).check(PLAN), { code: "not_approved" });
  assert.deepEqual(bench.events, [
    {
      type: "approval",
      server: "notes",
      plan: await planHash(PLAN),
      by: "person",
      approved: false,
    },
  ]);
});

test("a config elsewhere, or of somebody else, has no approvals of this one", async () => {
  await using bench = await openBench();
  await bench.open("yes").check(PLAN);
  await assert.rejects(bench.open(undefined, "/tmp/clone/mcp-runner.yaml").check(PLAN));
});

test("several servers are asked about one after the other", async () => {
  await using bench = await openBench();
  let open = 0;
  let most = 0;
  const slow: Confirm = async () => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setImmediate(resolve));
    open--;
    return true;
  };
  const approvals = bench.open(slow);
  const names = ["a", "b", "c"];
  await Promise.all(names.map((server) => approvals.check({ ...PLAN, server })));
  assert.equal(most, 1);
  await Promise.all(names.map((server) => bench.open(undefined).check({ ...PLAN, server })));
});

test("parallel runners do not lose each other's approvals, and a damaged file approves nothing", async () => {
  await using bench = await openBench();
  const names = Array.from({ length: 8 }, (_, n) => `s${n}`);
  await Promise.all(names.map((server) => bench.open("yes").check({ ...PLAN, server })));
  await Promise.all(names.map((server) => bench.open(undefined).check({ ...PLAN, server })));
  await writeFile(join(bench.home, "approvals.json"), "{");
  await assert.rejects(bench.open(undefined).check(PLAN), { code: "not_approved" });
});

test("a server that is approved does not wait for a question about another", async () => {
  await using bench = await openBench();
  await bench.open("yes").check(PLAN);
  let answer: (yes: boolean) => void = () => {};
  const answered = new Promise<boolean>((resolve) => answer = resolve);
  const approvals = bench.open(() => answered);
  const asked = approvals.check({ ...PLAN, server: "other" });
  await approvals.check(PLAN);
  answer(true);
  await asked;
});

test("who said no is not asked again, until the server is run in another way", async () => {
  await using bench = await openBench();
  const answers: string[] = [];
  const approvals = bench.open((lines) => {
    answers.push(lines[0] ?? "");
    return Promise.resolve(false);
  });
  await assert.rejects(approvals.check(PLAN), { code: "not_approved" });
  await assert.rejects(approvals.check(PLAN), { code: "not_approved" });
  assert.equal(answers.length, 1);
  await assert.rejects(approvals.check({ ...PLAN, network: [] }), { code: "not_approved" });
  assert.equal(answers.length, 2);
  await bench.open("yes").check(PLAN);
  await approvals.check(PLAN);
});

test("nobody is asked any more once the runner stops", async () => {
  await using bench = await openBench();
  const stopping = new AbortController();
  let asked = 0;
  let hear = (): void => {};
  const heard = new Promise<void>((resolve) => hear = resolve);
  const approvals = openApprovals({
    home: bench.home,
    config: "/home/ada/mcp-runner.yaml",
    journal: { write: () => {}, close: async () => {} },
    by: (_lines, _question, signal) => {
      asked++;
      hear();
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(new Error("nobody answers")));
      });
    },
    signal: stopping.signal,
  });
  // Which of the two comes first is open.
  const checks = ["a", "b"].map((server) =>
    approvals.check({ ...PLAN, server }).then(() => "approved", (error: Error) => error.message)
  );
  await heard;
  stopping.abort();
  assert.deepEqual((await Promise.all(checks)).toSorted(), ["Interrupted", "nobody answers"]);
  assert.equal(asked, 1);
});

test("a server of several images is approved by its name", async () => {
  await using bench = await openBench();
  const plan = { ...PLAN, server: "notes (ghcr.io/ada/one:1)" };
  await assert.rejects(bench.open(undefined).check(plan), {
    message: /^Cannot start server "notes": .*"mcp-runner approve notes"$/,
  });
  await bench.open("yes").check(plan);
  assert.deepEqual(bench.events.map((event) => "server" in event && event.server), ["notes"]);
  await assert.rejects(bench.open(undefined).check(PLAN));
});

test("a server may have the name of what every object has", async () => {
  await using bench = await openBench();
  const plan = { ...PLAN, server: "constructor" };
  await assert.rejects(bench.open(undefined).check(plan), { message: /nobody has agreed/ });
});

test("an entry with a comma is not taken for two", () => {
  const lines = planLines({
    ...PLAN,
    variables: ["A=1, B=2"],
    mounts: ["/home/ada/x, /y:/x:ro"],
  });
  assert.ok(lines.includes('  variables  "A=1, B=2"'));
  assert.ok(lines.includes('  files      "/home/ada/x, /y:/x:ro"'));
});
