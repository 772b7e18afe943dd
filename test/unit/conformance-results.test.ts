import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseChecks, readResults, scenarioOf } from "../conformance/results.ts";

test("the name of a folder tells the scenario", () => {
  const time = "2026-11-22T11-13-18-820Z";
  assert.equal(scenarioOf(`server-ping-${time}`), "ping");
  assert.equal(scenarioOf(`server-server-sse-polling-${time}`), "server-sse-polling");
  assert.equal(scenarioOf(`server-json-schema-2020-12-${time}`), "json-schema-2020-12");
  assert.equal(scenarioOf(`client-initialize-${time}`), undefined);
  assert.equal(scenarioOf("server-ping"), undefined);
});

const notChecks: Array<[why: string, text: string]> = [
  ["text that is cut off", '[{"id":"a"'],
  ["something else than a list", '{"id":"a","status":"SUCCESS"}'],
  ["a status that is unknown", '[{"id":"a","status":"PASS"}]'],
  ["a check without a name", '[{"status":"SUCCESS"}]'],
];

for (const [why, text] of notChecks) {
  test(`parseChecks() refuses ${why}`, () => assert.throws(() => parseChecks(text)));
}

/** A folder as the suite leaves it. */
async function resultsFolder(files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-results-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "checks.json"), text);
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

test("readResults() gathers all runs of a scenario", async () => {
  await using results = await resultsFolder({
    "server-ping-2026-11-22T11-13-18-820Z": '[{"id":"ping","status":"SUCCESS"}]',
    "server-ping-2026-11-22T11-13-19-000Z": '[{"id":"ping","status":"FAILURE"}]',
    "server-caching-2026-11-22T11-13-20-000Z": "[]",
  });
  const read = await readResults(results.folder);
  assert.deepEqual([...read.keys()].toSorted(), ["caching", "ping"]);
  assert.deepEqual(read.get("ping")?.map(({ status }) => status).toSorted(), [
    "FAILURE",
    "SUCCESS",
  ]);
});

test("readResults() refuses a folder that the suite has not written", async () => {
  await using results = await resultsFolder({ notes: "[]" });
  await assert.rejects(readResults(results.folder), /what is "notes"/);
});

test("readResults() of an empty folder has no results, which no set passes with", async () => {
  await using results = await resultsFolder({});
  assert.equal((await readResults(results.folder)).size, 0);
});
