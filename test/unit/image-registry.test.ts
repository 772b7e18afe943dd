import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { parseImageName } from "../../runner/image/reference.ts";
import { openRegistry, type Registry } from "../../runner/image/registry-client.ts";
import { findCredentials } from "../../runner/image/registry-credentials.ts";

const bytes = new TextEncoder().encode("signed");
const DIGEST = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Runs `use` with a server on loopback that answers like this. */
async function served(
  answer: RequestListener,
  use: (registry: Registry, host: string, seen: IncomingMessage[]) => Promise<void>,
): Promise<void> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await use(openRegistry(parseImageName(`${host}/ada/notes:1`)), host, seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Runs `use` with docker's settings in a folder that holds these files. */
async function withDocker(
  files: Readonly<Record<string, string>>,
  use: () => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-docker-test-"));
  const { DOCKER_CONFIG: before, PATH: path } = process.env;
  try {
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(folder, name), text);
      await chmod(join(folder, name), 0o755);
    }
    process.env["DOCKER_CONFIG"] = folder;
    process.env["PATH"] = `${folder}${delimiter}${path ?? ""}`;
    await use();
  } finally {
    if (before === undefined) delete process.env["DOCKER_CONFIG"];
    else process.env["DOCKER_CONFIG"] = before;
    process.env["PATH"] = path;
    await rm(folder, { recursive: true });
  }
}

test("a blob is given if it is what its digest says, and no manifest is nothing", () =>
  served((request, response) => {
    if (request.url === `/v2/ada/notes/blobs/${DIGEST}`) response.end(bytes);
    else if (request.url?.includes("/blobs/")) response.end("something else");
    else response.writeHead(404).end();
  }, async (registry) => {
    assert.deepEqual(Buffer.from(await registry.blob(DIGEST, 100) ?? []), Buffer.from(bytes));
    assert.equal(await registry.blob(`sha256:${"0".repeat(64)}`, 100), undefined);
    assert.equal(await registry.manifest("1"), undefined);
  }));

test("an answer that is too long is not read to its end", () =>
  served((_request, response) => {
    const more = () => {
      while (response.write(Buffer.alloc(64 * 1024)));
    };
    response.on("drain", more);
    more();
  }, async (registry) => {
    await assert.rejects(registry.blob(DIGEST, 1_000_000), {
      name: "RegistryFailure",
      message: "it sends more than 1000000 bytes",
    });
  }));

const failures: [why: string, answer: RequestListener, message: RegExp][] = [
  ["breaks off", ({ socket }) => socket.destroy(), /^(?:[A-Z_]+|no connection)$/],
  ["is broken", (_, response) => void response.writeHead(500).end(), /^HTTP 500$/],
  ["is tired", (_, response) => void response.writeHead(429).end(), /allows no more requests/],
  [
    "redirects in a circle",
    ({ url }, response) => void response.writeHead(307, { location: url }).end(),
    /its redirections lead nowhere/,
  ],
  [
    "redirects to what is no address of the web",
    (_, response) => void response.writeHead(307, { location: "file:///etc/passwd" }).end(),
    /an address without https/,
  ],
  [
    "leads beyond this machine in plain text",
    (_, response) => void response.writeHead(307, { location: "http://192.0.2.1/" }).end(),
    /an address without https/,
  ],
  [
    "has its tokens beyond this machine in plain text",
    (_, response) => {
      const challenge = 'Bearer realm="http://192.0.2.1/token"';
      response.writeHead(401, { "www-authenticate": challenge }).end();
    },
    /an address without https/,
  ],
  [
    "asks for a token of nobody",
    (_, response) => void response.writeHead(401, { "www-authenticate": "Bearer x" }).end(),
    /asks for a login in a way unknown/,
  ],
];
for (const [why, answer, message] of failures) {
  test(`a registry that ${why} is named with the reason`, () =>
    withDocker({}, () =>
      served(
        answer,
        (registry) => assert.rejects(registry.manifest("1"), { name: "RegistryFailure", message }),
      )));
}

test("the login of docker goes to its registry and not along a redirection", () =>
  served(
    (_request, response) => void response.end(bytes),
    (_registry, storage, atStorage) =>
      served((request, response) => {
        if (request.headers.authorization === undefined) {
          response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
        } else response.writeHead(307, { location: `http://${storage}/blob` }).end();
      }, async (registry, host, seen) => {
        const auth = Buffer.from("ada:pa:ss").toString("base64");
        const config = JSON.stringify({ auths: { [host]: { auth } } });
        await withDocker({ "config.json": config }, async () => {
          assert.ok(await registry.blob(DIGEST, 100));
        });
        assert.equal(seen.at(-1)?.headers.authorization, `Basic ${auth}`);
        assert.deepEqual(atStorage.map(({ headers }) => headers.authorization), [undefined]);
      }),
  ));

const isWindows = process.platform === "win32";
test("findCredentials() asks the helper that docker would ask", { skip: isWindows }, () => {
  const helper = `#!/bin/sh
read -r host
[ "$host" = ghcr.io ] && printf '{"Username":"ada","Secret":"from %s"}' "$host" || exit 1
`;
  const config = JSON.stringify({ credHelpers: { "ghcr.io": "test" }, credsStore: "test" });
  const files = { "config.json": config, "docker-credential-test": helper };
  return withDocker(files, async () => {
    assert.deepEqual(await findCredentials("ghcr.io"), {
      username: "ada",
      password: "from ghcr.io",
    });
    assert.equal(await findCredentials("example.com"), undefined);
  });
});

for (const config of ["", "[]", '{"auths":{"ghcr.io":{}}}', '{"credsStore":"../evil"}']) {
  test(`findCredentials() finds no login in ${JSON.stringify(config)}`, () =>
    withDocker({ "config.json": config }, async () => {
      assert.equal(await findCredentials("ghcr.io"), undefined);
    }));
}

test("a registry that is slow again and again is given up", () =>
  served((_request, response) => void setTimeout(() => response.end("{}"), 50), async (_, host) => {
    const registry = openRegistry(parseImageName(`${host}/ada/notes:1`), 200);
    const askOn = async () => {
      for (let asked = 0; asked < 40; asked++) await registry.manifest("1");
    };
    await assert.rejects(askOn(), { name: "RegistryFailure", message: /^no answer within/ });
  }));
