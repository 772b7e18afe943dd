import assert from "node:assert/strict";
import { test } from "node:test";
import { readClientFile } from "../../runner/import/client-file.ts";
import { readDockerHome } from "../../runner/import/docker-home.ts";
import { nameFor } from "../../runner/import/imported.ts";
import { isSecret } from "../../runner/import/literal.ts";

async function one(entry: unknown) {
  const { imported, skipped } = await readClientFile(
    JSON.stringify({ mcpServers: { it: entry } }),
    new Set(),
  );
  return imported[0] ?? skipped[0]?.why;
}

const TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

const programs: Array<[why: string, entry: object, fields: object]> = [
  ["npx with a version", { command: "npx", args: ["-y", "@ada/notes@1.2.3", "stdio"] }, {
    source: "npm:@ada/notes@1.2.3",
    args: ["stdio"],
  }],
  ["npx of the newest", { command: "npx", args: ["--yes", "notes@latest"] }, {
    source: "npm:notes",
  }],
  ["npx as Windows has it", { command: "cmd", args: ["/c", "npx", "-y", "notes"] }, {
    source: "npm:notes",
  }],
  ["npx --package", { command: "npx", args: ["-y", "--package=notes@1.0.0", "notes-mcp", "x"] }, {
    source: "npm:notes@1.0.0",
    args: ["x"],
  }],
  ["uvx", { command: "/opt/bin/uvx", args: ["mcp-server-time==2026.1.0", "--utc"] }, {
    source: "pypi:mcp-server-time@2026.1.0",
    args: ["--utc"],
  }],
  ["uvx --from", { command: "uvx", args: ["--from", "notes[all]@1.0", "serve", "x"] }, {
    source: "pypi:notes@1.0",
    args: ["x"],
  }],
  ["uv tool run", { command: "uv", args: ["tool", "run", "notes"] }, { source: "pypi:notes" }],
  ["a URL", { url: "https://mcp.example.com/mcp" }, { source: "https://mcp.example.com/mcp" }],
  ["a bridge", { command: "npx", args: ["mcp-remote", "https://mcp.example.com/sse"] }, {
    source: "https://mcp.example.com/sse",
  }],
  ["a command in one list", { command: ["npx", "notes"] }, { source: "npm:notes" }],
  [
    "tools that a client allows",
    { command: "npx", args: ["notes"], alwaysAllow: ["read"], autoApprove: ["list"] },
    { source: "npm:notes", tools: { allow: ["read", "list"] } },
  ],
  [
    "docker run",
    {
      command: "docker",
      args: [
        "run",
        "-i",
        "--rm",
        "--init",
        "--name=x",
        "-e",
        "LANG=de",
        "-eDEBUG=1",
        "-v",
        "/home/ada/n:/n:ro",
        "--mount",
        "type=bind,src=/home/ada/w,dst=/w",
        "-u",
        "1000",
        "--memory",
        "1g",
        "ghcr.io/ada/notes:1",
        "serve",
        "--all",
      ],
    },
    {
      source: "image:ghcr.io/ada/notes:1",
      args: ["serve", "--all"],
      env: { LANG: "de", DEBUG: "1" },
      volumes: ["/home/ada/n:/n:ro", "/home/ada/w:/w:rw"],
      user: "1000",
      limits: { memory: "1g" },
    },
  ],
];

for (const [why, entry, fields] of programs) {
  test(`a client's server is brought along: ${why}`, async () => {
    const found = await one(entry);
    assert.ok(typeof found === "object", JSON.stringify(found));
    assert.deepEqual(found.fields, fields);
  });
}

const impossible: Array<[why: string, entry: unknown, told: RegExp]> = [
  [
    "a program of the machine",
    { command: "node", args: ["/home/ada/x.js"] },
    /is a program of this/,
  ],
  ["npm run", { command: "npm", args: ["run", "serve"] }, /is a program of this machine/],
  [
    "a package from git",
    { command: "npx", args: ["github:ada/notes"] },
    /is no package of the npm/,
  ],
  ["a shell line", { command: "npx", args: ["-c", "rm -rf /"] }, /runs a line of a shell/],
  [
    "Docker's gateway",
    { command: "docker", args: ["mcp", "gateway", "run"] },
    /it is Docker's gate/,
  ],
  ["another docker command", { command: "docker", args: ["exec", "x"] }, /is no docker run/],
  ["nothing", {}, /neither a command nor a URL/],
  ["text", "notes", /not written as servers are/],
];

for (const [why, entry, told] of impossible) {
  test(`a client's server is left out, and said why: ${why}`, async () => {
    const found = await one(entry);
    assert.ok(typeof found === "string");
    assert.match(found, told);
  });
}

test("what would weaken the isolation of a container is not brought along, and said", async () => {
  const args = ["run", "--privileged", "--network", "host", "--cap-add=SYS_ADMIN", "-u", "0", "x"];
  const found = await one({ command: "docker", args });
  assert.ok(typeof found === "object");
  assert.deepEqual(found.fields, { source: "image:x" });
  assert.equal(found.notes.length, 4);
});

test("literal secrets go into the store, whatever they are called, and never into the file", async () => {
  const found = await one({
    command: "npx",
    args: ["notes"],
    env: { GITHUB_TOKEN: "abc", INNOCENT: TOKEN, LANG: "de", HOME_URL: "https://a.example" },
  });
  assert.ok(typeof found === "object");
  assert.deepEqual(found.fields, {
    source: "npm:notes",
    env: { LANG: "de", HOME_URL: "https://a.example" },
    secrets: { GITHUB_TOKEN: "store:it.github_token", INNOCENT: "store:it.innocent" },
  });
  assert.deepEqual([...found.secrets], [["it.github_token", "abc"], ["it.innocent", TOKEN]]);
});

test("a header with a secret refers to it", async () => {
  const found = await one({
    url: "https://mcp.example.com/mcp",
    headers: { Authorization: `Bearer ${TOKEN}`, "X-Team": "blue" },
  });
  assert.ok(typeof found === "object");
  assert.deepEqual(found.fields, {
    source: "https://mcp.example.com/mcp",
    headers: { Authorization: "Bearer ${AUTHORIZATION}", "X-Team": "blue" },
    secrets: { AUTHORIZATION: "store:it.authorization" },
  });
  assert.deepEqual([...found.secrets], [["it.authorization", TOKEN]]);
});

test("variables of the surroundings are referred to, and prompts and placeholders are asked for", async () => {
  const found = await one({
    command: "docker",
    args: ["run", "-i", "-e", "OUTER", "notes"],
    env: { A: "${env:A_TOKEN}", B: "${input:b}", API_KEY: "<your-key>" },
  });
  assert.ok(typeof found === "object");
  assert.deepEqual(found.fields["secrets"], {
    OUTER: "env:OUTER",
    A: "env:A_TOKEN",
    B: "store:it.b",
    API_KEY: "store:it.api_key",
  });
  assert.deepEqual(found.notes, [
    'Its B is missing: run "mcp-runner secret set it.b"',
    'Its API_KEY is missing: run "mcp-runner secret set it.api_key"',
  ]);
  assert.equal(found.secrets.size, 0);
});

test("JSON with comments and trailing commas is read, of VS Code and of Zed", async () => {
  for (const list of ["servers", "context_servers"]) {
    const text =
      `{ // mine\n "${list}": { "My Notes!": { "command": "npx", "args": ["a",], }, }, }`;
    const { imported } = await readClientFile(text, new Set(["my-notes"]));
    assert.deepEqual(imported.map(({ name, from }) => [from, name]), [["My Notes!", "my-notes-2"]]);
  }
});

test("a file of another kind is refused with the line, or what is missing", async () => {
  await assert.rejects(readClientFile('{\n"a": \n}', new Set()), /line 3 is not JSON/);
  await assert.rejects(readClientFile("[]", new Set()), /has none of mcpServers, servers/);
  await assert.rejects(readClientFile('{"servers": []}', new Set()), /has none of/);
});

test("nameFor() gives names of ours, each once", () => {
  const taken = new Set(["a", "a-2"]);
  assert.equal(nameFor("A", taken), "a-3");
  assert.equal(nameFor("日本", new Set()), "server");
  assert.equal(nameFor("x".repeat(40), new Set(["x".repeat(32)])), `${"x".repeat(30)}-2`);
});

test("isSecret() tells tokens from settings", () => {
  for (const name of ["API_KEY", "GITHUB_PAT", "DB_PASSWORD", "Authorization", "OPENAI_APIKEY"]) {
    assert.ok(isSecret(name, "abcdef"), name);
  }
  assert.ok(isSecret("DATABASE", "postgres://ada:hush@db/x"));
  for (const name of ["KEYBOARD", "AUTHOR", "PATH", "MONKEY", "COMPASS"]) {
    assert.ok(!isSecret(name, "abcdef"), name);
  }
  assert.ok(!isSecret("API_KEY", ""));
});

test("what Docker's gateway keeps is brought along: servers, settings, tools, secrets", async () => {
  const { imported } = await readDockerHome({
    registry: "registry:\n  github-official: {ref: ''}\n  my.notes: {ref: ''}\n  off: {ref: ''}\n",
    config: "my_notes:\n  paths: [/home/ada/notes]\n",
    tools: "my.notes: [read]\noff: []\n",
    secrets: "# mine\ngithub-official.token=a=b\nother.token=x\n",
  }, new Set());
  assert.deepEqual(imported.map(({ name, fields, secrets }) => [name, fields, [...secrets]]), [
    ["github-official", { source: "docker:github-official", tools: { allow: ["*"] } }, [
      ["github-official.token", "a=b"],
    ]],
    ["my-notes", {
      source: "docker:my.notes",
      config: { paths: ["/home/ada/notes"] },
      tools: { allow: ["read"] },
    }, []],
    ["off", { source: "docker:off" }, []],
  ]);
});

test("files of Docker's gateway that are none are refused by name", async () => {
  const none = { registry: undefined, config: undefined, tools: undefined, secrets: undefined };
  await assert.rejects(
    readDockerHome({ ...none, tools: "a: b" }, new Set()),
    /tools\.yaml: it is not/,
  );
  await assert.rejects(readDockerHome({ ...none, config: "a: [" }, new Set()), /is not YAML/);
  assert.deepEqual(await readDockerHome(none, new Set()), { imported: [], skipped: [] });
});

const open: Array<[why: string, entry: object, told: RegExp]> = [
  ["an option", { command: "npx", args: ["notes", "--api-key=abcdef123"] }, /argument --api-key/],
  ["an option's value", { command: "npx", args: ["notes", "--token", TOKEN] }, /argument --token/],
  ["a bare token", { command: "npx", args: ["notes", TOKEN] }, /argument 1/],
  [
    "a header among arguments",
    { command: "npx", args: ["notes", "--header", `Authorization: Bearer ${TOKEN}`] },
    /argument/,
  ],
  [
    "a password in a URL",
    { command: "npx", args: ["pg", "postgres://ada:hunter2@db.example/x"] },
    /argument 1/,
  ],
  ["the query of a URL", { url: `https://a.example/mcp?api_key=${TOKEN}` }, /parameter api_key/],
  ["a URL behind a bridge", {
    command: "npx",
    args: ["mcp-remote", `https://a.example/?key=${TOKEN}`],
  }, /parameter key/],
];

for (const [why, entry, told] of open) {
  test(`a secret that would stand in the config is left out, and never said: ${why}`, async () => {
    const found = await one(entry);
    assert.ok(typeof found === "string", JSON.stringify(found));
    assert.match(found, told);
    assert.doesNotMatch(found, /ghp_|hunter2|abcdef123/);
  });
}

test("arguments that are no secrets are brought along", async () => {
  const args = ["notes", "--token-limit", "100", "--key-file", "./x", "--header", "X-Team: blue"];
  const found = await one({ command: "npx", args });
  assert.ok(typeof found === "object");
});

test("a hostile file is refused or left out, and breaks nothing", async () => {
  const deep = "[".repeat(500_000);
  await assert.rejects(readClientFile(`{"mcpServers":{"a":${deep}`, new Set()), { code: "usage" });
  const many = Object.fromEntries(
    Array.from({ length: 100_000 }, (_, n) => [`s${n}`, { command: "npx", args: ["x"] }]),
  );
  await assert.rejects(readClientFile(JSON.stringify({ mcpServers: many }), new Set()), {
    code: "usage",
    message: /more than 1000 servers/,
  });
  const keys = '{"mcpServers":{"__proto__":{"command":"npx","args":["x"]},"constructor":' +
    '{"command":"npx","args":["x"],"env":{"__proto__":"a","constructor":"b"}}}}';
  const { imported } = await readClientFile(keys, new Set());
  assert.ok(imported.every(({ name }) => /^[a-z0-9-]+$/.test(name)));
  assert.equal(({} as Record<string, unknown>)["command"], undefined);
});

test("a value of several lines is a secret as a whole", async () => {
  const key = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n";
  const found = await one({ command: "npx", args: ["notes"], env: { PEM: key } });
  assert.ok(typeof found === "object");
  assert.deepEqual([...found.secrets], [["it.pem", key]]);
  assert.doesNotMatch(JSON.stringify(found.fields), /BEGIN/);
});
