import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../runner/config/config.ts";
import { parseEgressTarget, targetText } from "../../runner/config/egress-target.ts";
import { parseDuration, parseIdle } from "../../runner/config/life.ts";
import { parseSource } from "../../runner/config/source.ts";
import { parseSecretReference, referenceText } from "../../runner/secrets/reference.ts";

const place = {
  file: "mcp-runner.yaml",
  cwd: "/home/ada",
  machine: { platform: "linux", home: "/home/ada", ours: [] },
};

async function problems(...lines: readonly string[]): Promise<readonly string[]> {
  const text = ["version: 1", "servers:", "  a:", ...lines.map((line) => `    ${line}`)].join("\n");
  try {
    await parseConfig(text, place);
    return [];
  } catch (error) {
    return (error as Error).message.split("\n").filter((line) => line.startsWith("mcp-runner.yaml"))
      .map((line) => line.replace("mcp-runner.yaml:", ""));
  }
}

test("a config says all of how a server is kept", async () => {
  const text = `
version: 1
servers:
  github:
    source: image:ghcr.io/ada/github:1
    secrets: { TOKEN: "store:github.token", OTHER: "op://work/github/token" }
    secretFiles: { KEY_FILE: "file:/run/keys/github" }
    allowEnvSecrets: true
    redactResults: false
    pins: false
    volumes: ["./data:/data", "cache:/cache", "logs:/logs:ro"]
    network: [api.github.com:443, "*.githubusercontent.com"]
    extraHosts: ["NAS.home:192.168.1.5", "six.home:[fd00::5]"]
    user: 1000:1000
    root: true
    writable: true
    execTmp: true
    caps: [CAP_CHOWN, setuid, CHOWN]
    runtime: runsc
    gpus: all
    lifetime: client
    idle: never
    concurrency: 4
    queue: 10
    startTimeout: 90s
    timeout: 1.5m
profiles: { work: [github] }
catalogs: [./mine.yaml, ~/servers, https://example.com/catalog.yaml]
images:
  signed:
    - { match: "mcp/*", key: ./docker.pub }
    - { match: "ghcr.io/ada/*", identity: ada@example.com, issuer: https://accounts.example.com, trustedRoot: ./root.json }
`;
  const { servers: [github], ...rest } = await parseConfig(text, place);
  assert.deepEqual(rest, {
    path: "/home/ada/mcp-runner.yaml",
    profiles: { work: ["github"] },
    catalogs: ["/home/ada/mine.yaml", "/home/ada/servers", "https://example.com/catalog.yaml"],
    signed: [
      { match: "mcp/*", key: "/home/ada/docker.pub" },
      {
        match: "ghcr.io/ada/*",
        identity: "ada@example.com",
        issuer: "https://accounts.example.com",
        trustedRoot: "/home/ada/root.json",
      },
    ],
  });
  assert.ok(github !== undefined);
  const { given, ...read } = github;
  assert.equal(given.length, 25);
  assert.deepEqual(read, {
    name: "github",
    prefix: "github__",
    source: { kind: "image", reference: "ghcr.io/ada/github:1" },
    settings: {},
    args: [],
    env: {},
    headers: {},
    oauth: undefined,
    allowPrivate: false,
    secrets: {
      TOKEN: { kind: "store", name: "github.token" },
      OTHER: { kind: "op", uri: "op://work/github/token" },
    },
    secretFiles: { KEY_FILE: { kind: "file", path: "/run/keys/github" } },
    allowEnvSecrets: true,
    redactResults: false,
    pins: false,
    volumes: [{ hostPath: "/home/ada/data", containerPath: "/data", readOnly: true }],
    namedVolumes: [
      { volume: "cache", containerPath: "/cache", readOnly: false },
      { volume: "logs", containerPath: "/logs", readOnly: true },
    ],
    network: [
      { host: "api.github.com", port: 443 },
      { host: "*.githubusercontent.com", port: 443 },
    ],
    extraHosts: [
      { host: "nas.home", address: "192.168.1.5" },
      { host: "six.home", address: "fd00::5" },
    ],
    user: "1000:1000",
    isolation: {
      root: true,
      writable: true,
      execTmp: true,
      caps: ["CHOWN", "SETUID"],
      runtime: "runsc",
      gpus: "all",
    },
    life: {
      lifetime: "client",
      idleMs: undefined,
      concurrency: 4,
      queue: 10,
      startMs: 90_000,
      callMs: 90_000,
    },
    tools: { allow: [], deny: [] },
    prompts: { allow: [], deny: [] },
    resources: { allow: [], deny: [] },
    tasks: { auto: [], required: [] },
    limits: { memoryBytes: 512 * 1024 ** 2, cpuCores: 1, pids: 128 },
  });
});

const wrong: Array<[why: string, line: string, told: RegExp]> = [
  ["a capability that leads out of the container", "caps: [SYS_ADMIN]", /"SYS_ADMIN" is not a cap/],
  ["all capabilities", "caps: [ALL]", /"ALL" is not a capability/],
  ["privileged", "privileged: true", /unknown key/],
  ["the network of the host", "network: host", /"host" is not none, write that or a list/],
  ["a URL for a place", 'network: ["https://a.example"]', /is not a place on the network/],
  ["a port that is none", 'network: ["a.example:70000"]', /has no port from 1 to 65535/],
  ["half of the world", 'network: ["*.com:443"]', /"\*\.com:443" is not a place/],
  ["an address in disguise", 'network: ["0x7f000001:80"]', /is not a place on the network/],
  ["a range of addresses", 'network: ["10.0.0.0/8:80"]', /is not a place on the network/],
  ["a name for an address", 'extraHosts: ["a:b"]', /"a:b" is not <host>:<address>/],
  ["another runtime", "runtime: privileged", /is not a runtime, allowed are runsc/],
  ["no GPU", "gpus: 0", /"0" is not a number of GPUs/],
  ["yes for true", "root: yes", /"yes" is neither true nor false/],
  ["an option as user", 'user: "--privileged"', /is not a user, write a name or a number/],
  ["a time without unit", "idle: 10", /"10" is not a time, write one such as 30s/],
  ["a time too long", "timeout: 25h", /"25h" is too long, allowed is 100ms to 24h/],
  ["no call at all", "concurrency: 0", /"0" is not a number of calls/],
  ["another lifetime", "lifetime: session", /is not a lifetime, allowed are shared, client/],
  ["a variable with a wrong name", 'secrets: { "A-B": "store:x" }', /"A-B" is not a variable name/],
];

for (const [why, line, told] of wrong) {
  test(`a config is refused for ${why}`, async () => {
    const found = await problems("source: npm:a", line);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", told);
  });
}

const secret = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
for (
  const text of [secret, `store:${secret} `, `token:${secret}`, `op://${secret}`, `file:${secret}`]
) {
  test(`a secret in place of a reference is never repeated: ${text.replace(secret, "…")}`, async () => {
    const found = await problems("source: npm:a", `secrets: { TOKEN: ${JSON.stringify(text)} }`);
    assert.equal(found.length, 1);
    assert.ok(!found.join().includes(secret));
  });
}

test("what belongs to containers is refused for a server at a URL, and the other way around", async () => {
  const url = "source: https://mcp.example.com/mcp";
  assert.match((await problems(url, "network: none"))[0] ?? "", /is for servers in containers/);
  assert.match((await problems(url, "root: true"))[0] ?? "", /is for servers in containers/);
  assert.deepEqual(await problems(url, "secrets: { T: 'store:t' }", "allowPrivate: true"), []);
  assert.match((await problems("source: npm:a", "oauth: {}"))[0] ?? "", /is for servers at a URL/);
  assert.match((await problems("source: npm:a", "config: {}"))[0] ?? "", /is for servers of a cat/);
  assert.deepEqual(await problems("source: docker:github", "config: { a: b }", "headers: {}"), []);
  assert.match((await problems("source: container:a", "root: true"))[0] ?? "", /is there already/);
  assert.deepEqual(await problems("source: container:a", "args: [serve]"), []);
  assert.deepEqual(await problems("source: container:a", "allowEnvSecrets: true"), []);
});

test("a profile names servers of the file", async () => {
  const text = "version: 1\nservers: { notes: { source: npm:a } }\nprofiles: { work: [note] }";
  await assert.rejects(parseConfig(text, place), {
    message:
      'Cannot use mcp-runner.yaml: 1 problem\nmcp-runner.yaml:3:20 profiles.work[0]: "note" is not a server of this file, did you mean "notes"',
  });
});

test("a rule for signatures says who signs, in one way", async () => {
  const rule = (text: string) =>
    parseConfig(`version: 1\nservers: {}\nimages: { signed: [{ ${text} }] }`, place);
  await assert.rejects(rule("match: x"), /says not who signs/);
  await assert.rejects(rule("match: x, key: a, identity: b, issuer: c"), /says not who signs/);
  await assert.rejects(rule("match: x, identity: b"), /says not who signs/);
  await assert.rejects(rule("match: x, identity: b, issuer: c"), /says not who signs/);
});

test("sources of every kind are read, and what only looks like one is refused", () => {
  const sources: Array<[text: string, source: unknown]> = [
    ["pypi:mcp-server-time", { kind: "pypi", package: "mcp-server-time" }],
    ["pypi:a@2026.1.0rc1", { kind: "pypi", package: "a", version: "2026.1.0rc1" }],
    ["docker:github-official", { kind: "docker", entry: "github-official" }],
    ["registry:io.github.ada/notes", { kind: "registry", name: "io.github.ada/notes" }],
    ["registry:io.a/b@1.2", { kind: "registry", name: "io.a/b", version: "1.2" }],
    ["container:notes_1", { kind: "running", container: "notes_1" }],
  ];
  for (const [text, source] of sources) assert.deepEqual(parseSource(text), source);
  for (
    const text of [
      "pypi:-r requirements.txt",
      "pypi:a @ https://evil.example/a.whl",
      "pypi:a[extra]",
      "pypi:a@1.*",
      "docker:../x",
      "docker:a b",
      "registry:notes",
      "registry:a/b/c",
      "container:--rm",
      "container:a;b",
    ]
  ) assert.throws(() => parseSource(text), { code: "config_invalid" }, text);
});

test("places on the network, times and references are written as they are read", () => {
  for (
    const text of ["a.example:443", "[2001:db8::1]:8443", "10.0.0.1:80", "*:443", "*.a.example:1"]
  ) {
    assert.equal(targetText(parseEgressTarget(text)), text);
  }
  assert.deepEqual(parseEgressTarget("A.Example."), { host: "a.example", port: 443 });
  assert.equal(parseDuration("1.5h"), 5_400_000);
  assert.equal(parseIdle("never"), undefined);
  for (
    const text of [
      "store:a.b",
      "env:TOKEN",
      "file:/run/x",
      "exec:pass show x",
      "op://vault/item/field",
    ]
  ) assert.equal(referenceText(parseSecretReference(text)), text);
});
