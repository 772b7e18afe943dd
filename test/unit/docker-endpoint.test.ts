import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { findEndpoints, type Machine } from "../../runner/docker/endpoint.ts";

const home = await mkdtemp(join(tmpdir(), "mcp-runner-home-"));
after(() => rm(home, { recursive: true }));

/** Writes a context as `docker context create` does. */
async function context(name: string, endpoint: object, pem: Readonly<Record<string, string>> = {}) {
  const id = createHash("sha256").update(name).digest("hex");
  const meta = join(home, ".docker/contexts/meta", id);
  const tls = join(home, ".docker/contexts/tls", id, "docker");
  await Promise.all([meta, tls].map((folder) => mkdir(folder, { recursive: true })));
  await writeFile(
    join(meta, "meta.json"),
    JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker: endpoint } }),
  );
  for (const [file, text] of Object.entries(pem)) await writeFile(join(tls, file), text);
}

function machine(env: Machine["env"], platform = "linux"): Machine {
  return { env, platform, home };
}

await context("colima", { Host: "unix:///home/ada/.colima/docker.sock", SkipTLSVerify: false });
await context("office", { Host: "tcp://10.0.0.5:2376" }, {
  "ca.pem": "CA",
  "cert.pem": "C",
  "key.pem": "K",
});
await context("lax", { Host: "tcp://10.0.0.6:2376", SkipTLSVerify: true });
await context("broken", {});
await mkdir(join(home, "certs"));
await writeFile(join(home, "certs/ca.pem"), "CA");

const socket = (path: string) => ({ kind: "socket", path });

const single: [why: string, env: Machine["env"], url: string, from: string, connection: object][] =
  [
    [
      "a socket in DOCKER_HOST",
      { DOCKER_HOST: "unix:///run/podman.sock", DOCKER_CONTEXT: "colima" },
      "unix:///run/podman.sock",
      "DOCKER_HOST",
      socket("/run/podman.sock"),
    ],
    [
      "a pipe in DOCKER_HOST",
      { DOCKER_HOST: "npipe:////./pipe/docker_engine" },
      "npipe:////./pipe/docker_engine",
      "DOCKER_HOST",
      socket("//./pipe/docker_engine"),
    ],
    [
      "a host without scheme and port",
      { DOCKER_HOST: "build.example" },
      "tcp://build.example:2375",
      "DOCKER_HOST",
      { kind: "tcp", host: "build.example", port: 2375 },
    ],
    [
      "port 80, which URLs hide",
      { DOCKER_HOST: "tcp://build.example:80" },
      "tcp://build.example:80",
      "DOCKER_HOST",
      { kind: "tcp", host: "build.example", port: 80 },
    ],
    [
      "an IPv6 address",
      { DOCKER_HOST: "tcp://[::1]:2375" },
      "tcp://[::1]:2375",
      "DOCKER_HOST",
      { kind: "tcp", host: "[::1]", port: 2375 },
    ],
    [
      "TLS from the environment",
      {
        DOCKER_HOST: "tcp://build.example",
        DOCKER_TLS_VERIFY: "1",
        DOCKER_CERT_PATH: join(home, "certs"),
      },
      "tcp://build.example:2376",
      "DOCKER_HOST",
      { kind: "tcp", host: "build.example", port: 2376, tls: { verify: true, ca: "CA" } },
    ],
    [
      "the context of DOCKER_CONTEXT",
      { DOCKER_CONTEXT: "colima" },
      "unix:///home/ada/.colima/docker.sock",
      'the Docker context "colima"',
      socket("/home/ada/.colima/docker.sock"),
    ],
    [
      "a context with certificates",
      { DOCKER_CONTEXT: "office" },
      "tcp://10.0.0.5:2376",
      'the Docker context "office"',
      {
        kind: "tcp",
        host: "10.0.0.5",
        port: 2376,
        tls: { verify: true, ca: "CA", cert: "C", key: "K" },
      },
    ],
    [
      "a context that skips the check of certificates",
      { DOCKER_CONTEXT: "lax" },
      "tcp://10.0.0.6:2376",
      'the Docker context "lax"',
      { kind: "tcp", host: "10.0.0.6", port: 2376, tls: { verify: false } },
    ],
  ];
for (const [why, env, url, from, connection] of single) {
  test(`findEndpoints() finds ${why}`, async () => {
    assert.deepEqual(await findEndpoints(machine(env)), [{ url, from, connection }]);
  });
}

test("findEndpoints() uses the context that was chosen with docker context use", async () => {
  const config = join(home, ".docker/config.json");
  await writeFile(config, '{"auths":{},"currentContext":"colima"}');
  const [chosen] = await findEndpoints(machine({}));
  assert.equal(chosen?.from, 'the Docker context "colima"');
  const [overridden] = await findEndpoints(machine({ DOCKER_CONTEXT: "office" }));
  assert.equal(overridden?.from, 'the Docker context "office"');

  for (const text of ['{"currentContext":"default"}', "{}", "not JSON"]) {
    await writeFile(config, text);
    const [usual] = await findEndpoints(machine({}));
    assert.equal(usual?.from, "the usual socket");
  }
  await rm(config);
});

test("findEndpoints() tries the usual places of each platform", async () => {
  const urls = async (env: Machine["env"], platform?: string) =>
    (await findEndpoints(machine(env, platform))).map(({ url }) => url);
  assert.deepEqual(await urls({ XDG_RUNTIME_DIR: "/run/user/1000" }), [
    `unix://${home}/.docker/run/docker.sock`,
    "unix:///var/run/docker.sock",
    "unix:///run/user/1000/docker.sock",
  ]);
  assert.deepEqual(await urls({}, "darwin"), [
    `unix://${home}/.docker/run/docker.sock`,
    "unix:///var/run/docker.sock",
  ]);
  assert.deepEqual(await urls({}, "win32"), ["npipe:////./pipe/docker_engine"]);
});

const refused: [why: string, env: Machine["env"], message: RegExp][] = [
  [
    "an ssh host",
    { DOCKER_HOST: "ssh://ada@build.example" },
    /ssh are not supported, forward its socket with "ssh -NL .* ada@build\.example"/,
  ],
  ["an unknown scheme", { DOCKER_HOST: "fd://" }, /"fd:\/\/" is not an engine's address/],
  [
    "an address that is none",
    { DOCKER_HOST: "tcp://a b" },
    /"tcp:\/\/a b" is not an engine's address/,
  ],
  [
    "an unknown context",
    { DOCKER_CONTEXT: "gone" },
    /Cannot find the Docker context "gone": "docker context ls" shows/,
  ],
  [
    "a context without an endpoint",
    { DOCKER_CONTEXT: "broken" },
    /Cannot read the Docker context "broken"/,
  ],
  [
    "a folder without certificates",
    { DOCKER_HOST: "tcp://a", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/nowhere" },
    /DOCKER_CERT_PATH holds no ca\.pem/,
  ],
];
for (const [why, env, message] of refused) {
  test(`findEndpoints() refuses ${why}`, async () => {
    await assert.rejects(findEndpoints(machine(env)), { code: "engine_unavailable", message });
  });
}
