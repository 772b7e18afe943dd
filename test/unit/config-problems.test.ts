import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../runner/config/config.ts";

const place = {
  file: "mcp-runner.yaml",
  cwd: "/home/ada/project",
  machine: { platform: "linux", home: "/home/ada", ours: [] },
};

/** The lines of the error about `text`, without the first, which counts them. */
async function problems(text: string): Promise<string[]> {
  const error = await parseConfig(text, place).then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof Error && error.name === "GatewayError", String(error));
  assert.equal("code" in error && error.code, "config_invalid");
  const [head = "", ...lines] = error.message.split("\n");
  assert.match(head, /^Cannot use mcp-runner\.yaml: (?:1 problem|\d+ problems)$/);
  return lines;
}

/** A whole file with `lines` as the body of the server `notes`. */
function server(...lines: string[]): string {
  return ["version: 1", "servers:", "  notes:", ...lines.map((line) => `    ${line}`)].join("\n");
}

const files: Array<[why: string, text: string, expected: string[]]> = [
  ["an unknown key, at the key", server("source: npm:notes", "tols: {}"), [
    'mcp-runner.yaml:5:5 servers.notes.tols: unknown key, did you mean "tools"',
  ]],
  ["a key that resembles none", server("source: npm:notes", "image: x"), [
    "mcp-runner.yaml:5:5 servers.notes.image: unknown key, allowed are source, args, tools and others of docs/config.md",
  ]],
  ["an unknown key at the top", "version: 1\nservers: {}\nmcpServers: {}", [
    'mcp-runner.yaml:3:1 mcpServers: unknown key, did you mean "servers"',
  ]],
  ["a bad value, at the value", server("source: npm:notes", "limits: { memory: lots }"), [
    'mcp-runner.yaml:5:23 servers.notes.limits.memory: "lots" is not a size, write one such as 512m, 1.5g or a number of bytes',
  ]],
  [
    "a bad value in a list",
    server("source: npm:notes", "tools:", "  allow:", '    - "get-*"', '    - ""'),
    [
      'mcp-runner.yaml:8:11 servers.notes.tools.allow[1]: is empty, write the name of a tool, or "*" for all',
    ],
  ],
  [
    "a pattern that is too long",
    server("source: npm:notes", `tools: { deny: [${"x".repeat(129)}] }`),
    [
      "mcp-runner.yaml:5:21 servers.notes.tools.deny[0]: is 129 characters long, allowed are 128",
    ],
  ],
  ["a missing key, at what misses it", server("args: []"), [
    'mcp-runner.yaml:3:3 servers.notes.source: is missing, add the line "source: …"',
  ]],
  ["a server without a body", "version: 1\nservers:\n  notes:", [
    "mcp-runner.yaml:3:3 servers.notes: has no value, write a map with source, args, tools and others of docs/config.md",
  ]],
  ["text where a list belongs", server("source: npm:notes", "args: stdio"), [
    'mcp-runner.yaml:5:11 servers.notes.args: is text, write a list such as ["stdio"]',
  ]],
  ["a list where a map belongs", server("source: npm:notes", "env: [KEY=value]"), [
    "mcp-runner.yaml:5:10 servers.notes.env: is a list, write NAME: value lines",
  ]],
  ["a variable without a value", server("source: npm:notes", "env: { KEY: }"), [
    'mcp-runner.yaml:5:12 servers.notes.env.KEY: has no value, write text, a number, true or false (or "" for an empty text)',
  ]],
  ["a variable with a wrong name", server("source: npm:notes", "env: { 2ND: x }"), [
    'mcp-runner.yaml:5:12 servers.notes.env.2ND: "2ND" is not a variable name, use letters, digits and "_", no digit first',
  ]],
  [
    "a zero character, without repeating the value",
    server("source: npm:notes", 'env: { KEY: "hush\\0" }'),
    [
      "mcp-runner.yaml:5:17 servers.notes.env.KEY: holds a zero character, remove it: no program can get it",
    ],
  ],
  ["a server name with capitals", 'version: 1\nservers:\n  "My Notes": { source: npm:notes }', [
    'mcp-runner.yaml:3:3 servers["My Notes"]: "My Notes" is not a server name, use 1 to 32 of a to z, 0 to 9 and "-"',
  ]],
  [
    "two volumes in one place",
    server("source: npm:notes", 'volumes: ["./a:/data", "./b:/data/"]'),
    [
      'mcp-runner.yaml:5:28 servers.notes.volumes[1]: "/data" is the container path of another volume, choose another',
    ],
  ],
  ["another version", "version: 2\nservers: {}", [
    'mcp-runner.yaml:1:10 version: "2" is not a version of this format, write 1',
  ]],
  ["no servers", "version: 1", [
    'mcp-runner.yaml:1:1 servers: is missing, add the line "servers: …"',
  ]],
  ["an empty list of servers", "version: 1\nservers:\n", [
    "mcp-runner.yaml:2:1 servers: has no value, write name: { source: … } entries",
  ]],
  ["a list of servers", "version: 1\nservers: [npm:notes]", [
    "mcp-runner.yaml:2:10 servers: is a list, write name: { source: … } entries",
  ]],
  ["text that is no map", "just words", [
    "mcp-runner.yaml:1:1 file: is text, write a map with version, servers, profiles, catalogs, images",
  ]],
  [
    "control characters, made visible",
    'version: 1\nservers: { "a\\e[2J": { source: npm:notes } }',
    [
      'mcp-runner.yaml:2:12 servers["a\\x1b[2J"]: "a\\x1b[2J" is not a server name, use 1 to 32 of a to z, 0 to 9 and "-"',
    ],
  ],
  [
    "a value behind an alias, at the anchor",
    "version: 1\nservers:\n  a: &a { source: npm:a, args: x }\n  b: *a",
    [
      'mcp-runner.yaml:3:32 servers.a.args: is text, write a list such as ["stdio"]',
      'mcp-runner.yaml:3:32 servers.b.args: is text, write a list such as ["stdio"]',
    ],
  ],
  ["JSON", '{\n\t"version": 1,\n\t"servers": { "a": { "source": 7 } }\n}', [
    'mcp-runner.yaml:3:32 servers.a.source: "7" does not say where the server comes from, write npm:<package>[@version], pypi:<package>[@version], image:<reference>, docker:<catalog entry>, registry:<name>[@version], container:<name> or https://<host>/<path>',
  ]],

  // The syntax itself.
  ["a tab", "version: 1\nservers:\n\ta: {}", [
    "mcp-runner.yaml:3:1 yaml: a tab indents this line, use spaces",
  ]],
  ["a duplicate key", server("source: npm:a", "source: npm:b"), [
    'mcp-runner.yaml:5:5 yaml: the key "source" is already in this map, keep one of them',
  ]],
  ["an open quote", 'version: "1\nservers: {}\n', [
    "mcp-runner.yaml:3:1 yaml: a closing quote is missing before here, add it",
  ]],
  ["an open bracket", server("source: npm:a", "args: [stdio"), [
    "mcp-runner.yaml:5:17 yaml: the ] or } that closes a list or map is missing, or not indented, before here",
  ]],
  ["two documents", "version: 1\nservers: {}\n---\nversion: 1", [
    "mcp-runner.yaml:3:1 yaml: a second document begins here, keep one",
  ]],
  ["an alias without anchor", server("source: npm:a", "args: [*x]"), [
    "mcp-runner.yaml:5:12 yaml: an alias without its anchor, define it before",
  ]],
  ["a tag", server("source: !secret npm:a"), [
    "mcp-runner.yaml:4:13 yaml: an unknown tag, put text that begins with ! in quotes",
  ]],
  ["names that mean something to JavaScript", "version: 1\nservers: { constructor: {} }", [
    'mcp-runner.yaml:2:12 yaml: the key "constructor" is reserved, choose another name',
  ]],
  ["a key that is a list", "[a]: b", [
    "mcp-runner.yaml:1:1 yaml: a key that is not text, write name: value",
  ]],
];

for (const [why, text, expected] of files) {
  test(`parseConfig() points at ${why}`, async () => {
    assert.deepEqual(await problems(text), expected);
  });
}

test("parseConfig() reports all that is wrong, in the order of the file", async () => {
  const text = [
    "version: 3",
    "servers:",
    "  a:",
    "    limits: { cpus: 0, pids: 4 }",
    "    sauce: npm:a",
    "    arg: []",
    "  b: { source: pip:b }",
  ].join("\n");
  assert.deepEqual((await problems(text)).map((line) => line.split(": ")[0]), [
    "mcp-runner.yaml:1:10 version",
    "mcp-runner.yaml:3:3 servers.a.source",
    "mcp-runner.yaml:4:21 servers.a.limits.cpus",
    "mcp-runner.yaml:4:30 servers.a.limits.pids",
    "mcp-runner.yaml:5:5 servers.a.sauce",
    "mcp-runner.yaml:6:5 servers.a.arg",
    "mcp-runner.yaml:7:16 servers.b.source",
  ]);
});

test("parseConfig() shows twenty problems and counts the others", async () => {
  const args = Array.from({ length: 25 }, () => "[]").join(", ");
  const lines = await problems(server("source: npm:a", `args: [${args}]`));
  assert.equal(lines.length, 21);
  assert.equal(lines[20], "… and 5 more");
});

test("parseConfig() never repeats a value that is meant for a program", async () => {
  const text = server("source: npm:a", "env: { KEY: [hunter2] }", "args: [[hunter2]]");
  assert.doesNotMatch((await problems(text)).join("\n"), /hunter2/);
});

test("parseConfig() shows what to write when the file is empty", async () => {
  for (const text of ["", "\n\n", "# nothing yet\n", "---\n"]) {
    await assert.rejects(parseConfig(text, place), {
      code: "config_invalid",
      message:
        /^Cannot use mcp-runner\.yaml: it is empty, write for example\nversion: 1\nservers:\n {2}everything: \{.*\}$/,
    });
  }
});
