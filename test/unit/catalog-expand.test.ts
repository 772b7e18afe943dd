import assert from "node:assert/strict";
import { test } from "node:test";
import { expandServer } from "../../runner/catalog/expand.ts";
import type { ServerConfig } from "../../runner/config/config.ts";
import { catalogOf, expansionPlace, serverOf } from "../support/catalog.ts";

/** The server that `yaml` of the config and `entry` of a catalog make, and what is told of it. */
async function expand(entry: string, yaml = "") {
  const place = expansionPlace();
  const server = await serverOf(`source: docker:notes\n${yaml}`);
  const made = await expandServer(server, await catalogOf(entry), place);
  return { made, notes: place.notes };
}

const fails = (entry: string, yaml: string, message: RegExp) =>
  assert.rejects(expand(entry, yaml), { name: "GatewayError", code: "config_invalid", message });

const NOTES = `name: notes
type: server
image: ada/notes:1
run:
  command: [serve, "{{notes.paths|volume-target|into}}", "--size={{notes.size}}"]
  volumes: ["{{notes.paths|volume|into}}", "cache:/cache", "{{notes.log}}:/log"]
  env: { MODE: stdio }
  allowHosts: ["api.example.com:443", "not a host"]
config:
  secrets:
    - { name: notes.key, env: NOTES_KEY }
    - { name: notes.other, env: NOTES_OTHER, required: false }
  env:
    - { name: LEVEL, value: "{{notes.level}}" }
    - { name: SIZE, value: "{{notes.size}}" }
    - { name: OPTIONAL, value: "x-{{notes.optional}}" }
    - { name: AUTH, value: '{"token": "$NOTES_KEY", "mode": "$PLAIN"}' }
  parameters:
    type: object
    required: [paths, level]
    properties:
      paths: { type: array, items: { type: string }, default: [/Users/author/notes] }
      level: { type: string, enum: [low, high], default: low }
      size: { type: integer, minimum: 1, maximum: 1000000 }
      log: { type: string }
      optional: { type: string }
`;

test("an entry of a catalog becomes an image with its command, variables, volumes and network", async () => {
  const { made, notes } = await expand(NOTES, "config: { paths: [./a, ~/b], size: 1000000 }");
  assert.deepEqual(made.source, { kind: "image", reference: "ada/notes:1" });
  assert.deepEqual(made.args, ["serve", "/home/ada/project/a", "/home/ada/b", "--size=1000000"]);
  assert.deepEqual(made.env, { LEVEL: "low", SIZE: "1000000", MODE: "stdio" });
  assert.deepEqual(made.volumes, [
    { hostPath: "/home/ada/project/a", containerPath: "/home/ada/project/a", readOnly: true },
    { hostPath: "/home/ada/b", containerPath: "/home/ada/b", readOnly: true },
  ]);
  assert.deepEqual(made.namedVolumes, [
    { volume: "cache", containerPath: "/cache", readOnly: false },
  ]);
  assert.deepEqual(made.network, [{ host: "api.example.com", port: 443 }]);
  assert.deepEqual(notes, [
    'Server "mine": Its volume "{{notes.log}}:/log" is left out: nothing is given for it under config',
    'Server "mine": Not used: "not a host" is not a place on the network, write <host>:<port> such as api.example.com:443',
  ]);
});

test("a secret comes from the store unless the config says otherwise, and a value with one in it is a secret", async () => {
  const { made } = await expand(NOTES, "config: { paths: [/srv/a] }");
  const key = { kind: "store", name: "notes.key" } as const;
  const text = '{"token": "${NOTES_KEY}", "mode": "$PLAIN"}';
  assert.deepEqual(made.secrets, {
    NOTES_KEY: key,
    AUTH: { kind: "text", text, parts: { NOTES_KEY: key } },
  });

  const own = await expand(
    NOTES,
    "config: { paths: [/srv/a] }\nsecrets: { NOTES_KEY: env:MY_KEY, NOTES_OTHER: store:o, MINE: store:m }",
  );
  assert.deepEqual(Object.keys(own.made.secrets), ["NOTES_KEY", "NOTES_OTHER", "AUTH", "MINE"]);
  assert.deepEqual(own.made.secrets["NOTES_KEY"], { kind: "env", name: "MY_KEY" });
});

test("a plain value under env stands in for a secret that is not used", async () => {
  const { made, notes } = await expand(
    NOTES,
    'config: { paths: [/srv/a] }\nenv: { NOTES_KEY: "", LEVEL: none }',
  );
  assert.deepEqual(made.secrets, {});
  assert.equal(made.env["LEVEL"], "none");
  assert.match(notes.join("\n"), /Its variable AUTH is left out: NOTES_KEY is not given/);
});

test("what the user wrote wins: args, volumes by container path, network, user, extraHosts", async () => {
  const { made } = await expand(
    NOTES,
    `config: { paths: [/srv/a] }
args: [mine]
volumes: ["./real:/srv/a:rw", "other:/cache:ro"]
network: ["example.org:80"]
user: "1000"`,
  );
  assert.deepEqual(made.args, ["mine"]);
  assert.deepEqual(made.volumes, [
    { hostPath: "/home/ada/project/real", containerPath: "/srv/a", readOnly: false },
  ]);
  assert.deepEqual(made.namedVolumes, [
    { volume: "other", containerPath: "/cache", readOnly: true },
  ]);
  assert.deepEqual(made.network, [{ host: "example.org", port: 80 }]);
  assert.equal(made.user, "1000");
});

const wrong: Array<[why: string, yaml: string, message: RegExp]> = [
  [
    "a missing parameter, its default being a path of another machine",
    "",
    /^Cannot use server "mine" of mcp-runner.yaml \(catalog entry "notes"\): servers.mine.config.paths is missing$/,
  ],
  [
    "a value that is none of those allowed",
    "config: { paths: [/a], level: mid }",
    /servers.mine.config.level is not one of "low", "high"/,
  ],
  ["text for a number", "config: { paths: [/a], size: big }", /config.size is not a whole number/],
  ["a number below the least", "config: { paths: [/a], size: 0 }", /config.size is less than 1/],
  [
    "a number above the most",
    "config: { paths: [/a], size: 1000001 }",
    /config.size is more than 1000000/,
  ],
  ["a map for a text", "config: { paths: [/a], log: { a: b } }", /config.log is a map, write text/],
  ["a list for a text", "config: { paths: [/a], log: [a] }", /config.log is a list, write text/],
  [
    "an unknown parameter",
    "config: { paths: [/a], sise: 5 }",
    /config.sise unknown parameter, did you mean "size"/,
  ],
  [
    "several at once",
    "config: { level: mid, size: x }",
    /paths is missing; .*level is not one of.*; .*size is not a whole/,
  ],
  [
    "a guarded path",
    "config: { paths: [~/.ssh] }",
    /"\/home\/ada\/.ssh" may not be seen by a server/,
  ],
  [
    "fields of a server at a URL",
    "config: { paths: [/a] }\nheaders: { A: b }",
    /headers is for servers at a URL/,
  ],
];

for (const [why, yaml, message] of wrong) {
  test(`a server of a catalog is refused for ${why}`, async () => {
    await fails(NOTES, yaml, message);
  });
}

test("a single text is a list of one where a list is wanted", async () => {
  const { made } = await expand(NOTES, "config: { paths: /srv/a }");
  assert.equal(made.volumes[0]?.hostPath, "/srv/a");
});

test("groups of parameters are asked for only where one of them is given, or one has to be", async () => {
  const entry = `name: notes
type: server
image: a
config:
  env:
    - { name: URL, value: "{{notes.remote.url}}" }
    - { name: DIR, value: "{{notes.local.dir}}" }
  parameters:
    type: object
    properties:
      remote: { type: object, properties: { url: { type: string }, user: { type: string } }, required: [url] }
      local: { type: object, properties: { dir: { type: string } }, required: [dir] }
    anyOf: [{ required: [remote] }, { required: [local] }]
`;
  const { made } = await expand(entry, "config: { local: { dir: d } }");
  assert.deepEqual(made.env, { DIR: "d" });
  await fails(entry, "", /servers.mine.config needs remote, or local/);
  await fails(entry, "config: { remote: { user: a } }", /config.remote.url is missing/);
});

test("a pattern is tried, unless trying it could take for ever", async () => {
  const entry = (pattern: string) =>
    `name: notes
type: server
image: a
config:
  env: [{ name: URL, value: "{{notes.url}}" }]
  parameters: { properties: { url: { type: string, pattern: '${pattern}' } } }
`;
  await fails(entry("^https?://.*"), "config: { url: ftp }", /config.url does not match/);
  const evil = await expand(entry("^(a+)+$"), `config: { url: ${"a".repeat(60)}b }`);
  assert.equal(evil.made.env["URL"], `${"a".repeat(60)}b`);
});

test("a command with a secret in it is refused, unless args take its place", async () => {
  const entry = `name: notes
type: server
image: a
run: { command: [--token, $KEY] }
config: { secrets: [{ name: notes.key, env: KEY }] }
`;
  await fails(entry, "", /its command holds the secret KEY/);
  assert.deepEqual((await expand(entry, "args: [run]")).made.args, ["run"]);
});

test("an entry cannot make its server root, nor reach what it does not name", async () => {
  const entry = `name: notes
type: server
image: a
run: { user: "0:0", disableNetwork: true, allowHosts: ["a.example:443"] }
`;
  const { made, notes } = await expand(entry);
  assert.equal(made.user, undefined);
  assert.deepEqual(made.network, []);
  assert.match(notes.join(), /wants to run as root/);
});

test("a long-lived entry is one process for each client, and stays an hour", async () => {
  const entry = "name: notes\ntype: server\nimage: a\nlongLived: true\n";
  const lives = ({ life }: ServerConfig) => [life.lifetime, life.idleMs];
  assert.deepEqual(lives((await expand(entry)).made), ["client", 3_600_000]);
  assert.deepEqual(lives((await expand(entry, "idle: 5m")).made), ["shared", 300_000]);
});

const REMOTE = `name: notes
type: remote
remote:
  transport_type: sse
  url: https://mcp.example.com/sse
  headers: { Authorization: "Bearer \${KEY}", X-Team: "\${TEAM}" }
config:
  secrets:
    - { name: notes.key, env: KEY }
    - { name: notes.team, env: TEAM, required: false }
`;

test("a remote entry becomes a server at its URL, with headers from secrets", async () => {
  const { made, notes } = await expand(REMOTE);
  assert.deepEqual(made.source, {
    kind: "http",
    url: "https://mcp.example.com/sse",
    transport: "sse",
  });
  assert.deepEqual(made.headers, { Authorization: "Bearer ${KEY}" });
  assert.deepEqual(made.secrets, { KEY: { kind: "store", name: "notes.key" } });
  assert.equal(made.oauth, undefined);
  assert.match(notes.join(), /Its header X-Team is left out: TEAM is not given/);

  const all = await expand(REMOTE, "secrets: { TEAM: store:team }\nheaders: { authorization: x }");
  assert.deepEqual(all.made.headers, { "X-Team": "${TEAM}", authorization: "x" });
  assert.deepEqual(Object.keys(all.made.secrets), ["TEAM"]);
});

test("a remote entry with OAuth says so, and cannot have what containers have", async () => {
  const entry = `name: notes
type: remote
remote: { transport_type: streamable-http, url: https://mcp.example.com/mcp }
oauth: [{ provider: notes, secret: notes.token, env: TOKEN }]
`;
  const { made } = await expand(entry);
  assert.deepEqual(made.oauth, { scopes: [] });
  assert.deepEqual(made.secrets, {});
  await fails(entry, "volumes: [./a:/a]", /volumes is for servers in containers/);
});

test("a URL that is not encrypted is refused, whatever a catalog says", async () => {
  await fails(REMOTE.replace("https:", "http:"), "", /is not encrypted/);
});

test("commands keep their templates for the calls, and what is fixed is checked now", async () => {
  const entry = (volume: string) =>
    `name: notes
type: poci
tools:
  - name: cut
    description: Cuts
    parameters: { type: object, properties: { path: { type: string } }, required: [path] }
    container: { image: ada/cut:1, command: ["{{path}}"], volumes: ["${volume}"] }
`;
  const { made } = await expand(entry("{{path}}:{{path}}"));
  assert.deepEqual(made.source, {
    kind: "commands",
    tools: [{
      name: "cut",
      description: "Cuts",
      inputSchema: '{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}',
      image: "ada/cut:1",
      command: ["{{path}}"],
      volumes: ["{{path}}:{{path}}"],
    }],
  });
  await fails(entry("/var/run/docker.sock:/s"), "", /may not be seen by a server/);
  await fails(entry("{{path|no}}:/s"), "", /unknown function "no"/);
});

test("a server that needs no catalog is left as it is", async () => {
  const server = await serverOf("source: image:a");
  assert.equal(await expandServer(server, await catalogOf(NOTES), expansionPlace()), server);
});
