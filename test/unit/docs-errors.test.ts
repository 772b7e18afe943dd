import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { failureTable } from "../../src/errors.ts";

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");

/** Rows whose first cell is a code: code, meaning, HTTP, JSON-RPC, retryable, executed, what to do. */
const rows = [...page.matchAll(/^\| `(\w+)` +\|(.*)\|$/gm)].map(([, code = "", rest = ""]) => [
  code,
  ...rest.split("|").map((cell) => cell.trim()),
]);

test("docs/errors.md has every code of the table, with its facts, in its order", () => {
  const documented = rows.map(([code, , ...cells]) => [code, ...cells.slice(0, 4)]);
  const real = Object.entries(failureTable).map(([code, { status, rpc, retryable, executed }]) => [
    code,
    String(status),
    String(rpc),
    retryable ? "yes" : "no",
    executed,
  ]);
  assert.deepEqual(documented, real);
});

test("docs/errors.md says of every code what it means and what to do", () => {
  for (const cells of rows) {
    assert.equal(cells.length, 7, cells[0]);
    assert.ok(cells.every((cell) => cell !== ""), cells[0]);
  }
});

test("docs/errors.md shows an error as a client gets it", () => {
  const [, text = ""] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  const { error } = JSON.parse(text) as { error: { code: number; data: { code: string } } };
  const { code, ...data } = error.data as { code: keyof typeof failureTable };
  const { rpc, executed, retryable } = failureTable[code];
  assert.deepEqual({ rpc: error.code, ...data }, { rpc, executed, retryable });
});
