import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig, type ServerConfig } from "../../runner/config/config.ts";

const place = {
  file: "mcp-runner.yaml",
  cwd: "/home/ada",
  machine: { platform: "linux", home: "/home/ada", ours: [] },
};

/** The server "a" of these lines. */
async function server(...lines: readonly string[]): Promise<ServerConfig> {
  const text = ["version: 1", "servers:", "  a:", ...lines.map((line) => `    ${line}`)].join("\n");
  const { servers: [first] } = await parseConfig(text, place);
  assert.ok(first);
  return first;
}

/** What is wrong with these lines. */
async function problems(...lines: readonly string[]): Promise<readonly string[]> {
  const error: unknown = await server(...lines).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof Error, "Nothing is wrong");
  return error.message.split("\n").slice(1).map((line) => line.replace("mcp-runner.yaml:", ""));
}

test("a server may be at a URL, with headers of its own", async () => {
  const { source, headers } = await server(
    "source: https://mcp.example.com/mcp?team=7",
    "headers: { Authorization: Bearer x, X-Empty: '' }",
  );
  assert.deepEqual(source, { kind: "http", url: "https://mcp.example.com/mcp?team=7" });
  assert.deepEqual(headers, { Authorization: "Bearer x", "X-Empty": "" });
});

for (const host of ["127.0.0.1:3000", "127.8.9.1", "localhost", "[::1]:80"]) {
  test(`http: is enough for ${host}, which is this machine`, async () => {
    const { source } = await server(`source: http://${host}/mcp`);
    assert.equal(source.kind, "http");
  });
}

const refused: Array<[what: string, source: string, why: RegExp]> = [
  ["http: to another machine", "http://mcp.example.com/mcp", /is not encrypted, write https:/],
  ["a host that begins like this machine", "http://127.0.0.1.example.com/", /not encrypted/],
  ["a host that is this machine by name alone", "http://localhost.example.com/", /not encrypted/],
  ["an unspecified address", "http://0.0.0.0:3000/", /not encrypted/],
  ["a password", "https://ada:secret@mcp.example.com/", /has a user or password in its URL/],
  ["a fragment", "https://mcp.example.com/mcp#x", /has a fragment/],
  ["one slash", "https:/mcp.example.com", /is not a URL/],
  ["no URL at all", "https://", /is not a URL/],
];

for (const [what, source, why] of refused) {
  test(`a URL with ${what} is refused, and not repeated`, async () => {
    const [problem = "", ...more] = await problems(`source: "${source}"`);
    assert.deepEqual(more, []);
    assert.match(problem, /^4:13 servers\.a\.source: /);
    assert.match(problem, why);
    assert.doesNotMatch(problem, /secret/);
  });
}

test("what says how a container runs is refused for a server at a URL, each where it stands", async () => {
  assert.deepEqual(
    await problems(
      "source: https://mcp.example.com/mcp",
      "args: [x]",
      "env: { A: b }",
      "volumes: [./x:/x]",
      "limits: { pids: 64 }",
    ),
    ["args", "env", "volumes", "limits"].map((key, n) =>
      `${n + 5}:5 servers.a.${key}: is for servers in containers, remove it: this one is at a URL`
    ),
  );
});

test("headers are refused for a server in a container", async () => {
  assert.deepEqual(await problems("source: npm:a", "headers: { A: b }"), [
    "5:5 servers.a.headers: is for servers at a URL, remove it: this one runs in a container",
  ]);
});

test("a header that HTTP cannot carry is refused, and its value not repeated", async () => {
  const url = "source: https://mcp.example.com/mcp";
  const [name] = await problems(url, 'headers: { "a b": x }');
  assert.match(name ?? "", /"a b" is not the name of a header/);
  const [value] = await problems(url, 'headers: { A: "secret\\r\\nB: c" }');
  assert.match(value ?? "", /servers\.a\.headers\.A: has characters that no header may have/);
  assert.doesNotMatch(value ?? "", /secret/);
});

const prefixes: Array<[written: string, prefix: string | RegExp]> = [
  ["none", ""],
  ["notes", "notes__"],
  ["My.Notes-2_x", "My.Notes-2_x__"],
  ["'a b'", /is not a prefix, use 1 to 32 of letters/],
  ["''", /is not a prefix/],
  ["x".repeat(33), /is not a prefix/],
  ["é", /is not a prefix/],
];

for (const [written, expected] of prefixes) {
  test(`the prefix ${written} ${typeof expected === "string" ? "is read" : "is refused"}`, async () => {
    const lines = ["source: npm:a", `prefix: ${written}`] as const;
    if (typeof expected === "string") assert.equal((await server(...lines)).prefix, expected);
    else assert.match((await problems(...lines)).join(), expected);
  });
}

test("tasks are for no tool unless the file says so, for all with auto, or by patterns", async () => {
  assert.deepEqual((await server("source: npm:a")).tasks, { auto: [], required: [] });
  assert.deepEqual((await server("source: npm:a", "tasks: auto")).tasks, {
    auto: ["*"],
    required: [],
  });
  assert.deepEqual((await server("source: npm:a", "tasks: { required: [big] }")).tasks, {
    auto: [],
    required: ["big"],
  });
});

const wrongTasks: Array<[written: string, why: string]> = [
  ["always", '5:12 servers.a.tasks: "always" is not auto, write that or a map'],
  ["[auto]", "5:12 servers.a.tasks: is a list, write a map with auto, required"],
  ["{ never: [x] }", "5:14 servers.a.tasks.never: unknown key, allowed are auto, required"],
  ["{ auto: x }", '5:20 servers.a.tasks.auto: is text, write a list such as ["echo", "get-*"]'],
];

for (const [written, why] of wrongTasks) {
  test(`tasks that are ${written} are refused where it stands`, async () => {
    assert.deepEqual(await problems("source: npm:a", `tasks: ${written}`), [why]);
  });
}
