import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseConfig } from "../../runner/config/config.ts";
import { addServers, NEW_CONFIG, withServers } from "../../runner/config/edit.ts";

const place = {
  file: "mcp-runner.yaml",
  cwd: "/home/ada",
  machine: { platform: "linux", home: "/home/ada", ours: [] },
};

const NOTES = { name: "notes", fields: { source: "npm:notes@1.0.0", tools: { allow: ["*"] } } };

const NOTES_BLOCK = `  notes:
    source: npm:notes@1.0.0
    tools:
      allow:
        - "*"
`;

test("a server is added behind the others, and nothing else of the file changes", async () => {
  const text = `# Mine.
version: 1
servers:
  # The first.
  a:   { source: 'npm:a' }   # keep it

  b:
    source: "npm:b"
    args: [ x,y ]

# Sets of servers.
profiles: { work: [a] }
`;
  const added = await addServers(text, [NOTES]);
  assert.equal(added.replace(NOTES_BLOCK, ""), text);
  const { servers } = await parseConfig(added, place);
  assert.deepEqual(servers.map(({ name }) => name), ["a", "b", "notes"]);
});

const shapes: Array<[why: string, text: string]> = [
  ["a new file", NEW_CONFIG],
  ["no line break at the end", "version: 1\nservers:\n  a: { source: npm:a }"],
  ["nothing below servers", "version: 1\nservers:"],
  ["servers with a comment", "version: 1\nservers: # mine\nprofiles: {}\n"],
  ["servers in braces", "version: 1\nservers: { a: { source: npm:a } }\n"],
  ["no servers in braces", "version: 1\nservers: {}\n"],
  ["JSON", '{"version": 1, "servers": {"a": {"source": "npm:a"}}}'],
  ["another indent", "version: 1\nservers:\n    a:\n        source: npm:a\n"],
  ["a list that ends it", "version: 1\nservers:\n  a:\n    source: npm:a\n    args:\n    - x\n"],
  [
    "a text of several lines",
    "version: 1\nservers:\n  a:\n    source: npm:a\n    args:\n      - |\n        x\n        y\n",
  ],
];

for (const [why, text] of shapes) {
  test(`a server is added to ${why}`, async () => {
    const { servers } = await parseConfig(await addServers(text, [NOTES]), place);
    const before = text.includes("npm:a") ? ["a", "notes"] : ["notes"];
    assert.deepEqual(servers.map(({ name }) => name), before);
    assert.deepEqual(servers.at(-1)?.tools.allow, ["*"]);
  });
}

test("a config that is JSON stays JSON", async () => {
  const texts = [
    '{"version": 1, "servers": {"a": {"source": "npm:a"}}}',
    '{ "version": 1, "servers": {} }\n',
    JSON.stringify({ version: 1, servers: { a: { source: "npm:a" } } }, null, 2),
  ];
  for (const text of texts) {
    const added: unknown = JSON.parse(await addServers(text, [NOTES]));
    const before = JSON.parse(text) as { servers: object };
    assert.deepEqual(added, { ...before, servers: { ...before.servers, notes: NOTES.fields } });
  }
});

test("a config without servers yet can be added to, whatever follows", async () => {
  for (const text of ["version: 1\nservers:\n", "version: 1\nservers: # none\nprofiles: {}\n"]) {
    assert.deepEqual((await parseConfig(await withServers(text), place)).servers, []);
  }
});

test("a server whose name is taken is refused", async () => {
  const text = "version: 1\nservers: { notes: { source: npm:a } }\n";
  await assert.rejects(addServers(text, [NOTES]), {
    code: "config_invalid",
    message:
      'Cannot add server "notes": the config has one of this name, choose another with --name',
  });
});

test("a value of white space alone, or with line breaks at its end, stays what it is", async () => {
  for (const value of ["\u00a0", "\u2003", "\u3000", " ", "\n", "a\n\n", "\u0085", "\ufeff"]) {
    const entry = { name: "a", fields: { source: "npm:a", env: { A: value } } };
    const { servers: [a, notes] } = await parseConfig(
      await addServers(NEW_CONFIG, [entry, NOTES]),
      place,
    );
    assert.equal(a?.env["A"], value, JSON.stringify(value));
    assert.equal(notes?.name, "notes");
  }
});

test("whatever the values of a server are, they come back as they were", async () => {
  const value = fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) =>
    !text.includes("\0")
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), value, { maxKeys: 4 }),
      async (args, env) => {
        const text = await addServers(NEW_CONFIG, [
          { name: "a", fields: { source: "npm:a", args, env } },
          NOTES,
        ]);
        const { servers: [a, notes] } = await parseConfig(text, place);
        assert.deepEqual(a?.args, args);
        assert.deepEqual({ ...a?.env }, { ...env });
        assert.equal(notes?.name, "notes");
      },
    ),
    { numRuns: 200 },
  );
});
