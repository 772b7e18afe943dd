/** What `calls` prints of a call log, and what it refuses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { calls } from "../../runner/cli/calls.ts";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { ADA, callEvent, type JournalBench, journalBench } from "../support/journal.ts";

/** A command that runs. */
interface Running {
  readonly out: readonly string[];
  readonly notes: readonly string[];
  readonly ended: Promise<void>;
  stop(): void;
}

function start({ home }: JournalBench, ...args: readonly string[]): Running {
  const [out, notes]: [string[], string[]] = [[], []];
  const stop = new AbortController();
  process.env["MCP_RUNNER_HOME"] = home;
  const ended = calls(args, {
    out: (line) => void out.push(line),
    note: (line) => void notes.push(line),
    stopped: stop.signal,
  });
  return { out, notes, ended, stop: () => stop.abort("SIGINT") };
}

async function run(bench: JournalBench, ...args: readonly string[]): Promise<Running> {
  const running = start(bench, ...args);
  await running.ended;
  return running;
}

/** A call log with an event of each kind that people ask for. */
async function filled(): Promise<JournalBench> {
  const bench = await journalBench();
  const journal = await bench.open();
  const stages = { queue: 3, start: 790, server: 22, total: 815 };
  const events = [
    callEvent("1", { ms: stages }),
    callEvent("2", { server: "files", tool: "read_file", outcome: "tool_error" }),
    callEvent("3", {
      client: "c_2",
      method: "prompts/get",
      tool: "greet",
      outcome: "failed",
      executed: "unknown",
      code: "server_crashed",
      message: 'Server "everything" crashed\u001b[2J',
    }),
    callEvent("4", { outcome: "cancelled", executed: "unknown", message: "The client has left" }),
  ];
  for (const event of events) {
    journal.write(event);
    bench.clock.advance(60_000);
  }
  const { outcome: _outcome, executed: _executed, ...asked } = callEvent("5");
  journal.write({
    ...asked,
    type: "refusal",
    code: "unknown_tool",
    message: "Unknown",
    denied: true,
  });
  journal.write({ ...asked, type: "refusal", call: "6", code: "overloaded", message: "Too many" });
  journal.write({ type: "start", server: "files", ms: 640, image: "files:1" });
  journal.write({
    type: "egress_blocked",
    server: "files",
    host: "evil.example",
    reason: "rule",
    count: 4,
  });
  await journal.close();
  return bench;
}

/** Which calls were printed. */
function idsOf({ out }: Running): readonly (string | undefined)[] {
  return out.map((line) => (JSON.parse(line) as { call?: string; type: string }))
    .map(({ call, type }) => call ?? type);
}

test("calls prints a table: when, how long and where the time went, who, what, and how it ended", async () => {
  await using bench = await filled();
  const { out, notes } = await run(bench);
  assert.deepEqual(out, [
    "TIME (UTC)               MS      QUEUE+START+SERVER  CLIENT    SERVER      TOOL               OUTCOME     MESSAGE",
    "2027-01-15 08:00:00.000  815     3+790+22            c_1       everything  echo               ok",
    "2027-01-15 08:01:00.000  1       0+0+1               c_1       files       read_file          tool_error",
    "2027-01-15 08:02:00.000  1       0+0+1               c_2       everything  prompts/get greet  failed      " +
    'server_crashed: Server "everything" crashed\\x1b[2J',
    "2027-01-15 08:03:00.000  1       0+0+1               c_1       everything  echo               cancelled   " +
    "The client has left",
    "2027-01-15 08:04:00.000  1       0+0+1               c_1       everything  echo               denied      " +
    "unknown_tool: Unknown",
    "2027-01-15 08:04:00.000  1       0+0+1               c_1       everything  echo               refused     " +
    "overloaded: Too many",
  ]);
  assert.deepEqual(notes, []);
});

test("calls --all-events says what else has happened", async () => {
  await using bench = await filled();
  const { out } = await run(bench, "--all-events", "--status", "egress_blocked");
  assert.match(out[1] ?? "", /files +egress_blocked +evil\.example rule, 4 times$/);
  const all = await run(bench, "--all-events");
  assert.match(all.out.at(-2) ?? "", / 640 +files +start$/);
});

const filters: Array<[args: readonly string[], expected: readonly string[]]> = [
  [[], ["1", "2", "3", "4", "5", "6"]],
  [["--server", "files"], ["2"]],
  [["--tool", "read_*"], ["2"]],
  [["--tool", "e*"], ["1", "4", "5", "6"]],
  [["--client", "c_2"], ["3"]],
  [["--status", "ok"], ["1"]],
  [["--status", "failed"], ["2", "3"]],
  [["--status", "refused"], ["5", "6"]],
  [["--status", "denied"], ["5"]],
  [["--status", "cancelled"], ["4"]],
  [["--status", "egress_blocked"], ["egress_blocked"]],
  [["--since", "2027-01-15T08:02:00Z"], ["3", "4", "5", "6"]],
  [["--limit", "2"], ["5", "6"]],
  [["--limit", "0"], []],
  [["--all-events", "--server", "files"], ["2", "start", "egress_blocked"]],
  [["--status", "failed", "--client", "c_1", "--tool", "read_file"], ["2"]],
];

for (const [args, expected] of filters) {
  test(`calls --json ${args.join(" ")} prints the lines that are meant, as they are written`, async () => {
    await using bench = await filled();
    const running = await run(bench, "--json", ...args);
    assert.deepEqual(idsOf(running), expected);
    const text = await bench.text();
    for (const line of running.out) assert.ok(text.includes(`${line}\n`));
  });
}

const wrong: ReadonlyArray<readonly string[]> = [
  ["--status", "toString"],
  ["--since", "yesterday"],
  ["--since", "5"],
  ["--limit", "-1"],
  ["--limit", "1e9"],
  ["--nosuch"],
  ["everything"],
];

for (const args of wrong) {
  test(`calls ${args.join(" ")} is wrong use`, async () => {
    await using bench = await filled();
    await assert.rejects(run(bench, ...args), { code: "usage" });
  });
}

test("damaged lines are skipped and counted beside the output", async () => {
  await using bench = await filled();
  await appendFile(join(bench.folder, `${ADA}.jsonl`), 'half a line\n{"v":1}\n');
  const { out, notes } = await run(bench, "--json");
  assert.equal(out.length, 6);
  assert.deepEqual(notes, ["warning: 2 damaged lines of the call log were skipped"]);
});

test("calls says when there is nothing", async () => {
  await using bench = await journalBench();
  const { out, notes } = await run(bench);
  assert.equal(out.length, 1);
  assert.deepEqual(notes, ["The call log has no such line"]);
});

test("calls --follow prints what comes, through a file that is put aside, until it is stopped", async () => {
  await using bench = await journalBench();
  const following = start(bench, "--follow", "--json", "--tool", "echo");
  // It may be there before the first runner is.
  const journal = await bench.open({ maxBytes: 3_000, keep: 100 });
  const expected: string[] = [];
  for (let call = 1; call <= 40; call++) {
    journal.write(callEvent(String(call)));
    journal.write(callEvent("other", { tool: "other" }));
    expected.push(String(call));
    bench.clock.advance(1);
    await journal.flush();
    if (call % 10 === 0) {
      await eventually(`call ${call}`, async () => following.out.length >= call || undefined);
    }
  }
  assert.deepEqual(idsOf(following), expected);
  assert.ok((await bench.files()).length > 3);
  await journal.close();
  following.stop();
  await following.ended;
});
