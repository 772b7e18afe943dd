import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../runner/config/config.ts";
import { FULL_ISOLATION } from "../../runner/config/isolation.ts";
import { DEFAULT_LIFE } from "../../runner/config/life.ts";
import { parseCpus, parseMemory, parsePids } from "../../runner/config/limits.ts";
import { parseSource } from "../../runner/config/source.ts";
import { suggest } from "../../runner/config/suggest.ts";

const place = {
  file: "conf/mcp-runner.yaml",
  cwd: "/home/ada",
  machine: { platform: "linux", home: "/home/ada", ours: [] },
};

/** What a server gets that says nothing of how it is kept. */
const UNSAID = {
  settings: {},
  headers: {},
  secrets: {},
  secretFiles: {},
  allowEnvSecrets: false,
  redactResults: true,
  pins: true,
  oauth: undefined,
  allowPrivate: false,
  volumes: [],
  namedVolumes: [],
  network: [],
  extraHosts: [],
  user: undefined,
  isolation: FULL_ISOLATION,
  life: DEFAULT_LIFE,
};

test("parseConfig() fills in everything that a server leaves out", async () => {
  assert.deepEqual(await parseConfig("version: 1\nservers: { a: { source: npm:a } }", place), {
    path: "/home/ada/conf/mcp-runner.yaml",
    profiles: {},
    catalogs: [],
    signed: [],
    servers: [{
      name: "a",
      source: { kind: "npm", package: "a" },
      prefix: "a__",
      args: [],
      env: {},
      ...UNSAID,
      given: ["prompts", "resources", "source", "tools"],
      tools: { allow: [], deny: [] },
      prompts: { allow: [], deny: [] },
      resources: { allow: [], deny: [] },
      tasks: { auto: [], required: [] },
      limits: { memoryBytes: 512 * 1024 ** 2, cpuCores: 1, pids: 128 },
    }],
  });
});

test("parseConfig() reads every field, and keeps the order of the servers", async () => {
  const text = `
version: 1
servers:
  zeta: { source: "image:zeta:1" }
  alpha:
    source: npm:@scope/alpha@1.2.3
    args: [serve, --port, 8080, true]
    env: { VERSION: 1.10, BIG: 12345678901234567890, ON: True, EMPTY: "", LINES: "a\\nb" }
    volumes: ["./data:/data", "~/notes:/notes:rw"]
    prefix: Alpha.1
    tools: { allow: [read_*], deny: [read_secret] }
    prompts: { allow: [sum] }
    resources: { allow: ["note:///*"], deny: ["note:///secret"] }
    tasks: { auto: [read_*], required: [read_all] }
    limits: { memory: 1.5g, cpus: 0.5, pids: 64 }
`;
  const { servers } = await parseConfig(text, place);
  assert.deepEqual(servers.map(({ name }) => name), ["zeta", "alpha"]);
  assert.deepEqual(servers[1], {
    name: "alpha",
    source: { kind: "npm", package: "@scope/alpha", version: "1.2.3" },
    prefix: "Alpha.1__",
    args: ["serve", "--port", "8080", "true"],
    // As written: a version number must not lose its zero, nor a large number its digits.
    env: { VERSION: "1.10", BIG: "12345678901234567890", ON: "True", EMPTY: "", LINES: "a\nb" },
    ...UNSAID,
    given: [
      "args",
      "env",
      "limits",
      "prefix",
      "prompts",
      "resources",
      "source",
      "tasks",
      "tools",
      "volumes",
    ],
    volumes: [
      { hostPath: "/home/ada/conf/data", containerPath: "/data", readOnly: true },
      { hostPath: "/home/ada/notes", containerPath: "/notes", readOnly: false },
    ],
    tools: { allow: ["read_*"], deny: ["read_secret"] },
    prompts: { allow: ["sum"], deny: [] },
    resources: { allow: ["note:///*"], deny: ["note:///secret"] },
    tasks: { auto: ["read_*"], required: ["read_all"] },
    limits: { memoryBytes: 1.5 * 1024 ** 3, cpuCores: 0.5, pids: 64 },
  });
});

test("parseConfig() accepts a file that shares a block through an anchor, and JSON", async () => {
  const shared =
    "version: 1\nservers:\n  a: { source: npm:a, limits: &l { pids: 64 } }\n  b: { source: npm:b, limits: *l }";
  assert.equal((await parseConfig(shared, place)).servers[1]?.limits.pids, 64);
  const json = '{"version": 1, "servers": {"a": {"source": "npm:a", "args": ["\\u00e9"]}}}';
  assert.deepEqual((await parseConfig(json, place)).servers[0]?.args, ["é"]);
});

const digest = `@sha256:${"0123456789abcdef".repeat(4)}`;
const sources: Array<[text: string, expected: unknown]> = [
  ["npm:notes", { kind: "npm", package: "notes" }],
  ["npm:notes@2026.8.31", { kind: "npm", package: "notes", version: "2026.8.31" }],
  ["npm:@ada/notes", { kind: "npm", package: "@ada/notes" }],
  ["npm:@ada/notes@1.0.0-rc.1+b", { kind: "npm", package: "@ada/notes", version: "1.0.0-rc.1+b" }],
  [
    "npm:notes@latest",
    /^"latest" is not an exact version, write one such as @1\.2\.3 or leave it out/,
  ],
  ["npm:notes@^1.2.3", /is not an exact version/],
  ["npm:notes@", /^"" is not an exact version/],
  ["npm:--registry", /is not the name of an npm package/],
  ["npm:../notes", /is not the name of an npm package/],
  ["npm:@ada/../notes", /is not the name of an npm package/],
  ["npm:Notes", /is not the name of an npm package/],
  ["npm:https://example.com/a.tgz", /is not the name of an npm package/],
  ["npm:", /^"" is not the name/],
  ["image:notes", { kind: "image", reference: "notes" }],
  ["image:ada/notes:1.2", { kind: "image", reference: "ada/notes:1.2" }],
  ["image:localhost:5000/notes", { kind: "image", reference: "localhost:5000/notes" }],
  [`image:ghcr.io/ada/notes:1${digest}`, {
    kind: "image",
    reference: `ghcr.io/ada/notes:1${digest}`,
  }],
  [
    "image:Ada/notes",
    /^"Ada\/notes" has capital letters, write the name of an image in small ones$/,
  ],
  ["image:notes@sha256:12", /is not an image, write image:\[host\/\]name\[:tag\]\[@sha256:…\]$/],
  ["image:-notes", /is not an image/],
  ["image:notes latest", /is not an image/],
  ["image:", /is not an image/],
  [
    "pip:notes",
    /^"pip:notes" has the unknown scheme "pip", write npm:<package>\[@version\], pypi:/,
  ],
  ["notes", /^"notes" does not say where the server comes from, write npm:/],
];

for (const [text, expected] of sources) {
  test(`parseSource() ${expected instanceof RegExp ? "refuses" : "reads"} ${text}`, () => {
    if (expected instanceof RegExp) {
      assert.throws(() => parseSource(text), { code: "config_invalid", message: expected });
    } else {
      assert.deepEqual(parseSource(text), expected);
    }
  });
}

const MIB = 1024 ** 2;
const limits: Array<[parse: (text: string) => number, text: string, expected: number | RegExp]> = [
  [parseMemory, "512m", 512 * MIB],
  [parseMemory, "512M", 512 * MIB],
  [parseMemory, "64mb", 64 * MIB],
  [parseMemory, "1g", 1024 * MIB],
  [parseMemory, "1.5g", 1536 * MIB],
  [parseMemory, "16384k", 16 * MIB],
  [parseMemory, "33554432", 32 * MIB],
  [parseMemory, "33554432b", 32 * MIB],
  [parseMemory, "15m", /^"15m" is too small, allowed is 16m to 1t$/],
  [parseMemory, "0", /too small/],
  [parseMemory, "2t", /too large/],
  [parseMemory, "-1g", /is not a size/],
  [parseMemory, "1e9", /is not a size/],
  [parseMemory, "1.2.3m", /is not a size/],
  [parseMemory, "512Mi", /is not a size/],
  [parseMemory, "", /is not a size/],
  [parseCpus, "1", 1],
  [parseCpus, "0.01", 0.01],
  [parseCpus, "64", 64],
  [parseCpus, "64.1", /^"64\.1" is too large, allowed is 0\.01 to 64$/],
  [parseCpus, "0.001", /too small/],
  [parseCpus, "NaN", /is not a number/],
  [parseCpus, "0x2", /is not a number/],
  [parsePids, "8", 8],
  [parsePids, "4096", 4096],
  [parsePids, "7", /too small/],
  [parsePids, "4097", /too large/],
  [parsePids, "64.5", /is not a whole number/],
];

for (const [parse, text, expected] of limits) {
  test(`${parse.name}() ${expected instanceof RegExp ? "refuses" : "reads"} "${text}"`, () => {
    if (expected instanceof RegExp) {
      assert.throws(() => parse(text), { code: "config_invalid", message: expected });
    } else {
      assert.equal(parse(text), expected);
    }
  });
}

const words: Array<[word: string, expected: string | undefined]> = [
  ["tols", "tools"],
  ["tool", "tools"],
  ["Tools", "tools"],
  ["limtis", "limits"],
  ["environment", "env"],
  ["volume", "volumes"],
  ["command", undefined],
  ["x", undefined],
  ["t".repeat(100_000), undefined],
];

for (const [word, expected] of words) {
  test(`suggest() answers ${expected ?? "nothing"} for "${word.slice(0, 16)}"`, () => {
    const known = ["source", "args", "env", "volumes", "tools", "limits"];
    assert.equal(suggest(word, known), expected);
  });
}
