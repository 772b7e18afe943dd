import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, pick } from "../../runner/cli/tool-choice.ts";
import type { Terminal } from "../../runner/cli/terminal.ts";
import type { ListedEntry } from "../../runner/server/listed.ts";

const entry = (key: string, more: object = {}): ListedEntry => ({
  key,
  raw: JSON.stringify({ name: key, inputSchema: { type: "object" }, ...more }),
});

const TOOLS = [
  entry("read", { annotations: { readOnlyHint: true }, description: "Reads.\nAt length." }),
  entry("write", { annotations: { readOnlyHint: false } }),
  entry("drop", { annotations: { destructiveHint: true }, description: "\u001b[2Jhidden" }),
];

const answers: Array<[answer: string, names: readonly string[] | undefined]> = [
  ["", []],
  ["none", []],
  [" ALL ", ["*"]],
  ["reads", ["read"]],
  ["1", ["read"]],
  ["3,1", ["drop", "read"]],
  ["1-3 2", ["read", "write", "drop"]],
  ["0", undefined],
  ["4", undefined],
  ["3-1", undefined],
  ["1-4", undefined],
  ["write", undefined],
  ["1;2", undefined],
];

for (const [answer, names] of answers) {
  test(`"${answer}" allows ${names === undefined ? "nothing yet: it is asked again" : names.join(", ") || "none"}`, () => {
    assert.deepEqual(pick(answer, TOOLS), names);
  });
}

test("the tools are shown with what they say of themselves, and cannot move the cursor", async () => {
  const notes: string[] = [];
  const said = ["what?", "1"];
  const terminal = {
    interactive: true,
    note: (line: string) => void notes.push(line),
    ask: () => Promise.resolve(said.shift() ?? ""),
  } as unknown as Terminal;
  assert.deepEqual(await chosen(TOOLS, terminal), ["read"]);
  assert.deepEqual(notes, [
    "Its 3 tools:",
    "1  read  reads  Reads.",
    "2  write",
    "3  drop  DELETES  \\x1b[2Jhidden",
    "   warning: it has characters that nobody sees",
    '"what?" is none of these',
  ]);
});

test("a tool whose schema has a member twice is shown like any other, without hints that are there twice", async () => {
  const notes: string[] = [];
  const terminal = {
    interactive: true,
    note: (line: string) => void notes.push(line),
    ask: () => Promise.resolve("reads"),
  } as unknown as Terminal;
  const twice = (annotations: string): ListedEntry => ({
    key: "t",
    raw: `{"name":"t","inputSchema":{"a":1,"a":2},"annotations":${annotations}}`,
  });
  const tools = [
    twice('{"readOnlyHint":true}'),
    twice('{"readOnlyHint":true,"readOnlyHint":false}'),
  ];
  assert.deepEqual(await chosen(tools, terminal), ["t"]);
  assert.deepEqual(notes.filter((line) => !line.startsWith(" ")), [
    "Its 2 tools:",
    "1  t  reads",
    "2  t",
  ]);
});

test("where nobody is there, nothing is chosen", async () => {
  const terminal = { interactive: false } as unknown as Terminal;
  assert.equal(await chosen(TOOLS, terminal), undefined);
});
