import assert from "node:assert/strict";
import { test } from "node:test";
import { readCatalog } from "../../runner/catalog/read.ts";

const SERVER = `name: notes
type: server
image: ada/notes:1
`;

test("readCatalog() reads a catalog.yaml with all fields of an entry", async () => {
  const { entries: [entry], warnings } = await readCatalog(
    `version: 3
name: docker-mcp
displayName: Docker MCP Catalog
registry:
  notes:
    title: Notes
    description: Keeps notes
    type: server
    dateAdded: "2026-01-02T03:04:05Z"
    image: ada/notes@sha256:${"a".repeat(64)}
    ref: ""
    readme: https://example.com/readme
    toolsUrl: https://example.com/tools
    source: https://example.com/source
    upstream: https://example.com/upstream
    icon: https://example.com/icon
    prompts: 2
    resources: {}
    longLived: true
    secrets: [{ name: notes.key, env: NOTES_KEY, example: abc }]
    env: [{ name: URL, value: "{{notes.url}}" }]
    command: ["--x"]
    volumes: ["{{notes.path}}:/data"]
    user: "1000"
    disableNetwork: false
    allowHosts: ["api.example.com:443"]
    extraHosts: ["nas.home:192.168.1.5"]
    tools: [{ name: add, description: Adds, arguments: [], annotations: { title: Add } }]
    config:
      - name: notes
        description: Settings
        type: object
        properties: { url: { type: string, minimum: 1 }, path: { type: string } }
        required: [path]
    prefix: n
    metadata: { pulls: 5, category: text, tags: [notes, text], license: MIT }
`,
    "catalog.yaml",
  );
  assert.deepEqual(warnings, []);
  assert.deepEqual({ ...entry, notes: undefined }, {
    name: "notes",
    title: "Notes",
    description: "Keeps notes",
    category: "text",
    tags: ["notes", "text"],
    program: { kind: "container", source: `image:ada/notes@sha256:${"a".repeat(64)}` },
    command: [{ template: "--x" }],
    env: [{ name: "URL", value: "{{notes.url}}" }],
    secrets: [{
      name: "notes.key",
      variable: "NOTES_KEY",
      required: true,
      description: undefined,
      example: "abc",
    }],
    parameters: {
      type: "object",
      properties: { url: { type: "string", minimum: "1" }, path: { type: "string" } },
      required: ["path"],
      anyOf: [],
      oneOf: [],
    },
    volumes: ["{{notes.path}}:/data"],
    user: "1000",
    disableNetwork: false,
    allowHosts: ["api.example.com:443"],
    extraHosts: ["nas.home:192.168.1.5"],
    isLongLived: true,
    tools: [{ name: "add", description: "Adds" }],
    notes: undefined,
    place: "catalog.yaml",
  });
});

test("an unknown field is told with its line, and its entry is used all the same", async () => {
  const { entries, warnings } = await readCatalog(
    `${SERVER}abuot: { title: Notes }\nrun:\n  command: [a]\n  privileged: true\n`,
    "server.yaml",
  );
  assert.equal(entries.length, 1);
  assert.deepEqual(warnings, [
    "server.yaml:4:1 abuot: unknown field",
    "server.yaml:7:3 run.privileged: unknown field",
  ]);
});

const unusable: Array<[why: string, text: string, warning: RegExp]> = [
  ["without an image", "name: a\ntype: server\n", /not used: it has no image/],
  ["of an unknown type", SERVER.replace("server\n", "vm\n"), /its type "vm" is unknown/],
  ["with a command that is no list", `${SERVER}run: { command: a b }`, /run.command: not used/],
  [
    "with a switch that is none",
    `${SERVER}longLived: maybe`,
    /longLived: not used: is neither true/,
  ],
  [
    "of an unknown transport",
    "name: a\ntype: remote\nremote: { url: 'https://a.b', transport_type: ws }",
    /its transport "ws" is unknown/,
  ],
  [
    "without commands for its tools",
    "name: a\ntype: poci\ntools: [{ name: t }]",
    /its tool "t" has no container/,
  ],
];

for (const [why, text, warning] of unusable) {
  test(`an entry ${why} is not used, and told so`, async () => {
    const { entries, warnings } = await readCatalog(text, "server.yaml");
    assert.deepEqual(entries, []);
    assert.match(warnings.join("\n"), warning);
  });
}

test("one entry that cannot be used leaves the others of its catalog", async () => {
  const { entries, warnings } = await readCatalog(
    "registry:\n  a: { type: server }\n  b: { type: server, image: ada/b }\n  c: 5\n",
    "catalog.yaml",
  );
  assert.deepEqual(entries.map(({ name }) => name), ["b"]);
  assert.deepEqual(warnings.map((line) => line.split(" ")[0]), [
    "catalog.yaml:2:6",
    "catalog.yaml:4:6",
  ]);
});

test("what only is shown never makes an entry unusable", async () => {
  const { entries } = await readCatalog(
    `${SERVER}about: { title: [1, 2] }\nmeta: { tags: { a: b } }\n`,
    "server.yaml",
  );
  assert.equal(entries[0]?.title, "notes");
});

test("a text that is no catalog is refused", async () => {
  for (const text of ["", "5", "a: b", "[]", "registry: 5"]) {
    await assert.rejects(readCatalog(text, "c.yaml"), {
      code: "config_invalid",
      message: /Cannot use c.yaml: it is neither a catalog.yaml/,
    });
  }
  await assert.rejects(readCatalog("a: [", "c.yaml"), {
    code: "config_invalid",
    message: /c.yaml:1:/,
  });
});

test("the text of a hostile catalog moves no cursor", async () => {
  const { warnings } = await readCatalog(`${SERVER}"\\e[2Jx": 1\n`, "server\u202e.yaml");
  assert.deepEqual(warnings, ['server\\u202e.yaml:4:1 ["\\x1b[2Jx"]: unknown field']);
});

test("the input schema of a command has the types of JSON Schema again", async () => {
  const { entries: [entry] } = await readCatalog(
    `name: a
type: poci
tools:
  - name: t
    parameters:
      type: object
      properties:
        n: { type: integer, minimum: 1, default: 5, enum: [1, 5], description: "1" }
        s: { type: string, maxLength: 3, default: 5 }
        l: { type: array, uniqueItems: true, items: { type: number, default: 0.5 } }
        type: { type: boolean, default: true }
      required: [n]
      additionalProperties: false
    container: { image: a, command: ["{{n}}"] }
`,
    "server.yaml",
  );
  assert.deepEqual(JSON.parse(entry?.tools[0]?.container?.inputSchema ?? ""), {
    type: "object",
    properties: {
      n: { type: "integer", minimum: 1, default: 5, enum: [1, 5], description: "1" },
      s: { type: "string", maxLength: 3, default: "5" },
      l: { type: "array", uniqueItems: true, items: { type: "number", default: 0.5 } },
      type: { type: "boolean", default: true },
    },
    required: ["n"],
    additionalProperties: false,
  });
});

/** A catalog of two entries, of which the first has a schema so deep. */
const nested = (depth: number) => {
  const deep = `${"{items: ".repeat(depth)}{type: string}${"}".repeat(depth)}`;
  return `registry:
  a: { type: server, image: a, config: [{ properties: { x: ${deep} } }] }
  b: { type: server, image: b }
`;
};

test("a schema that is nested without an end is told, and takes nothing down", async () => {
  // How deep is too deep depends on the stack that is left: the entry is used, refused, or the file is.
  for (const depth of [50, 1_000, 3_000, 30_000]) {
    const told = await readCatalog(nested(depth), "c.yaml").then(
      ({ entries, warnings }) => [...entries.map(({ name }) => name), ...warnings].join(" "),
      (error: Error) => error.message,
    );
    assert.match(told, /^(a b|b .*nested too deeply|Cannot use c.yaml[^]*nested too deeply)/);
  }
});
