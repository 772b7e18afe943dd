import assert from "node:assert/strict";
import { test } from "node:test";
import { expandServer } from "../../runner/catalog/expand.ts";
import { catalogOf, expansionPlace, serverOf } from "../support/catalog.ts";

/** The server that a `server.json` makes with the lines of a config. */
async function expand(server: object, yaml = "") {
  const json = { name: "io.github.ada/notes", description: "Notes", version: "1.0.0", ...server };
  const place = expansionPlace();
  const mine = await serverOf(`source: registry:io.github.ada/notes\n${yaml}`);
  const made = await expandServer(mine, await catalogOf(JSON.stringify(json)), place);
  return { made, notes: place.notes };
}

/** Host of npm's public registry. */
const PUBLIC_NPM = ["registry", "npmjs", "org"].join(".");

const npm = {
  registryType: "npm",
  identifier: "@ada/notes",
  version: "1.2.3",
  transport: { type: "stdio" },
};

test("an npm package becomes npm with its version, arguments, variables and secrets", async () => {
  const { made } = await expand({
    packages: [{
      ...npm,
      registryBaseUrl: `https://${PUBLIC_NPM}`,
      runtimeHint: "npx",
      runtimeArguments: [{ type: "positional", value: "-y" }],
      packageArguments: [
        { type: "positional", value: "serve" },
        { type: "positional", valueHint: "folder", isRequired: true },
        { type: "named", name: "--level", default: "low", choices: ["low", "high"] },
        { type: "named", name: "-p", valueHint: "port", format: "number" },
        { type: "named", name: "--stdio" },
        { type: "named", name: "--url", value: "https://{host}/x{y}", variables: { host: {} } },
      ],
      environmentVariables: [
        { name: "API_KEY", isSecret: true, isRequired: true },
        { name: "OPTIONAL_KEY", isSecret: true },
        { name: "REGION", default: "eu" },
        { name: "UNSET" },
        {
          name: "AUTH",
          value: "Bearer {token}",
          variables: { token: { isSecret: true, isRequired: true } },
        },
      ],
    }],
  }, "config: { folder: /data, host: example.com }");
  assert.deepEqual(made.source, { kind: "npm", package: "@ada/notes", version: "1.2.3" });
  assert.deepEqual(made.args, [
    "serve",
    "/data",
    "--level=low",
    "--stdio",
    "--url=https://example.com/x{y}",
  ]);
  assert.deepEqual(made.env, { REGION: "eu" });
  const token = { kind: "store", name: "notes.token" };
  assert.deepEqual(made.secrets, {
    API_KEY: { kind: "store", name: "notes.API_KEY" },
    AUTH: { kind: "text", text: "Bearer ${token}", parts: { token } },
  });
});

test("arguments with a value of the user's own are two words after one dash", async () => {
  const packageArguments = [{ type: "named", name: "-p", valueHint: "port", format: "number" }];
  const packages = [{ ...npm, packageArguments }];
  assert.deepEqual((await expand({ packages }, "config: { p: 80 }")).made.args, ["-p", "80"]);
  assert.deepEqual((await expand({ packages })).made.args, []);
  await assert.rejects(expand({ packages }, "config: { p: x }"), {
    message: /config.p is not a number/,
  });
});

test("an argument that may be repeated takes a list", async () => {
  const packageArguments = [{ type: "positional", valueHint: "dir", isRepeated: true }];
  const packages = [{ ...npm, packageArguments }];
  assert.deepEqual((await expand({ packages }, "config: { dir: [a, b] }")).made.args, ["a", "b"]);
});

test("an oci package becomes an image, with the variables and mounts of docker run and nothing else", async () => {
  const { made, notes } = await expand({
    packages: [{
      registryType: "oci",
      identifier: "ghcr.io/ada/notes:1.2.3",
      transport: { type: "stdio" },
      runtimeArguments: [
        { type: "positional", value: "run" },
        { type: "named", name: "--rm" },
        {
          type: "named",
          name: "-e",
          value: "KEY={key}",
          variables: { key: { isSecret: true, isRequired: true } },
        },
        {
          type: "named",
          name: "--mount",
          value: "type=bind,src={path},dst=/data",
          variables: { path: { format: "filepath", isRequired: true } },
        },
        { type: "named", name: "--privileged" },
        { type: "named", name: "--network", value: "host" },
      ],
    }],
  }, "config: { path: ./data }");
  assert.deepEqual(made.source, { kind: "image", reference: "ghcr.io/ada/notes:1.2.3" });
  assert.deepEqual(made.secrets, { KEY: { kind: "store", name: "notes.key" } });
  assert.deepEqual(made.volumes, [
    { hostPath: "/home/ada/project/data", containerPath: "/data", readOnly: false },
  ]);
  assert.deepEqual(notes, [
    'Server "mine": It asks for "--privileged" of docker run, which is not given',
    'Server "mine": It asks for "--network" of docker run, which is not given',
  ]);
});

test("the version of an oci package is its tag where it has none", async () => {
  const oci = { registryType: "oci", version: "2", transport: { type: "stdio" } };
  const reference = async (identifier: string, registryBaseUrl?: string) => {
    const { made: { source } } = await expand({
      packages: [{ ...oci, identifier, registryBaseUrl }],
    });
    return source.kind === "image" ? source.reference : undefined;
  };
  assert.equal(await reference("ada/notes"), "ada/notes:2");
  assert.equal(await reference("ada/notes", "https://ghcr.io"), "ghcr.io/ada/notes:2");
  assert.equal(await reference("ada/notes:1", "https://docker.io"), "ada/notes:1");
  const digest = `ada/notes@sha256:${"a".repeat(64)}`;
  assert.equal(await reference(digest), digest);
});

test("a remote becomes a server at a URL, its variables from config and its secrets in headers", async () => {
  const { made } = await expand({
    remotes: [{
      type: "streamable-http",
      url: "https://{tenant}.example.com/mcp",
      variables: { tenant: { isRequired: true } },
      headers: [
        {
          name: "Authorization",
          value: "Bearer {api-key}",
          variables: { "api-key": { isSecret: true, isRequired: true } },
        },
        { name: "X-Region", default: "eu" },
        { name: "X-Unset" },
      ],
    }],
  }, "config: { tenant: ada }");
  assert.deepEqual(made.source, { kind: "http", url: "https://ada.example.com/mcp" });
  assert.deepEqual(made.headers, { Authorization: "Bearer ${api_key}", "X-Region": "eu" });
  assert.deepEqual(made.secrets, { api_key: { kind: "store", name: "notes.api_key" } });
});

test("the first package that can be run is, else a remote", async () => {
  const nuget = { ...npm, registryType: "nuget" };
  const remotes = [{ type: "sse", url: "https://example.com/sse" }];
  assert.equal((await expand({ packages: [nuget, npm], remotes })).made.source.kind, "npm");
  assert.deepEqual((await expand({ packages: [nuget], remotes })).made.source, {
    kind: "http",
    url: "https://example.com/sse",
    transport: "sse",
  });
});

const unusable: Array<[why: string, server: object, message: RegExp]> = [
  ["nuget", { packages: [{ ...npm, registryType: "nuget" }] }, /type "nuget" are not supported/],
  ["mcpb", { packages: [{ ...npm, registryType: "mcpb" }] }, /type "mcpb" are not supported/],
  ["a package that listens", {
    packages: [{ ...npm, transport: { type: "sse", url: "http://localhost:1" } }],
  }, /and not stdio/],
  [
    "a hash that cannot be checked",
    { packages: [{ ...npm, fileSha256: "a".repeat(64) }] },
    /fileSha256, which cannot be checked/,
  ],
  [
    "a registry of its own",
    { packages: [{ ...npm, registryBaseUrl: "https://npm.example.com" }] },
    /registry of its own/,
  ],
  ["no version", { packages: [{ ...npm, version: undefined }] }, /names no version/],
  ["nothing to run", { packages: [] }, /neither packages nor remotes/],
  ["a secret in its URL", {
    remotes: [{ type: "sse", url: "https://a.b/{k}", variables: { k: { isSecret: true } } }],
  }, /its URL holds a secret/],
];

for (const [why, server, message] of unusable) {
  test(`a server of the registry with ${why} cannot be used`, async () => {
    await assert.rejects(expand(server), { message });
  });
}

test("a version range or an option in place of a package's name is refused", async () => {
  for (const change of [{ version: "^1.0.0" }, { identifier: "--registry=x" }]) {
    await assert.rejects(expand({ packages: [{ ...npm, ...change }] }), { code: "config_invalid" });
  }
});
