import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { parse } from "yaml";
import { expectedFor, parseExpectedFailures } from "../conformance/expected-failures.ts";
import { readOptions } from "../conformance/options.ts";
import { scenariosOf, TASK_SCENARIOS } from "../conformance/scenarios.ts";
import { SETS } from "../conformance/sets.ts";
import { RUNTIMES } from "../support/worker.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

const requirements = v.object({
  server: v.array(v.string()),
  not_scored: v.array(v.object({ scenario: v.string(), leg: v.string() })),
});

/** What the suite requires of servers of a revision, and what it runs beside. */
function requiredBySuite(revision: string) {
  const path = join(root, `node_modules/conformance-next/requirements/${revision}.yaml`);
  const { server, not_scored } = v.parse(requirements, parse(readFileSync(path, "utf8")));
  const unscored = not_scored.filter(({ leg }) => leg === "server");
  return { required: server, unscored: unscored.map(({ scenario }) => scenario) };
}

test("all that the suite requires for 2025-11-25 must run: 30 scenarios, and 3 unscored", () => {
  const { required, unscored } = requiredBySuite("2025-11-25");
  assert.equal(required.length, 30);
  assert.equal(unscored.length, 3);
  const all = [...required, ...unscored].toSorted();
  assert.deepEqual(scenariosOf("2025-11-25").toSorted(), all);
});

test("all that the suite requires for 2026-07-28 must run: 37 scenarios, and 13 unscored", () => {
  const { required, unscored } = requiredBySuite("2026-07-28");
  assert.equal(required.length, 37);
  assert.equal(unscored.length, 13);
  const all = [...required, ...unscored].toSorted();
  assert.deepEqual([...scenariosOf("2026-07-28"), ...TASK_SCENARIOS].toSorted(), all);
});

const sizes: Readonly<Record<string, number>> = {
  "2025-11-25-stable": 32,
  "2025-11-25": 33,
  "2026-07-28": 50,
  "2025-06-18": 27,
  "2025-03-26": 1,
  "tasks": 10,
  "2026-07-28-legacy-server": 50,
  "2025-11-25-modern-server": 33,
};

for (const { name, scenarios } of SETS) {
  test(`the set ${name} has ${sizes[name]} scenarios, each once`, () => {
    assert.equal(scenarios.length, sizes[name]);
    assert.equal(new Set(scenarios).size, scenarios.length);
  });
}

test("what is expected to fail belongs to a set and to a scenario of it", () => {
  const text = readFileSync(join(root, "test/conformance/expected-failures.yml"), "utf8");
  for (const [name, scenarios] of parseExpectedFailures(text)) {
    const runtime = RUNTIMES.some((it) => name === `on ${it}`);
    const sets = SETS.filter((it) => runtime || it.name === name);
    for (const scenario of scenarios.keys()) {
      assert.ok(sets.some((it) => it.scenarios.includes(scenario)), `${name}: ${scenario}`);
    }
  }
});

test("what is listed on a runtime counts there, in the sets that have the scenario", () => {
  const yaml = 'on workerd: [{ scenario: ping, checks: [pong], because: "?" }]';
  const set = { name: "2025-11-25", scenarios: ["ping"] };
  const expected = parseExpectedFailures(yaml);
  assert.deepEqual([...expectedFor(expected, set, "workerd")], [["ping", new Set(["pong"])]]);
  assert.equal(expectedFor(expected, set, "node").size, 0);
  const without = { name: "2026-07-28", scenarios: ["caching"] };
  assert.equal(expectedFor(expected, without, "workerd").size, 0);
});

test("an empty list expects no failures", () => {
  assert.equal(parseExpectedFailures("# nothing\n").size, 0);
});

const badLists: Array<[why: string, yaml: string]> = [
  ["has no reason", "tasks: [{ scenario: ping, checks: [ping] }]"],
  ["names no check", 'tasks: [{ scenario: ping, checks: [], because: "?" }]'],
  ["has an unknown key", 'tasks: [{ scenario: ping, checks: [ping], because: "?", until: 2027 }]'],
  [
    "is there twice",
    'tasks: [{ scenario: a, checks: [b], because: "?" }, { scenario: a, checks: [c], because: "?" }]',
  ],
];

for (const [why, yaml] of badLists) {
  test(`an expected failure that ${why} is refused`, () => {
    assert.throws(() => parseExpectedFailures(yaml));
  });
}

test("without --set every set runs", () => {
  assert.deepEqual(readOptions([]), { json: false, help: false, sets: SETS, runtime: "node" });
});

test("--set may be repeated", () => {
  const { sets } = readOptions(["--set", "tasks", "--json", "--set", "2025-06-18"]);
  assert.deepEqual(sets.map(({ name }) => name), ["tasks", "2025-06-18"]);
});

for (const args of [["--set", "2024-11-05"], ["--runtime", "bun"], ["--bail"], ["tasks"]]) {
  test(`"${args.join(" ")}" is refused`, () => assert.throws(() => readOptions(args), TypeError));
}
