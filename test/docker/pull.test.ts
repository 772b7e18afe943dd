import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Readable } from "node:stream";
import { pack } from "tar-fs";
import { ensureImage } from "../../runner/image/image.ts";
import { useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

const digestOf = (bytes: Uint8Array) =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** A registry on loopback; engines speak plain HTTP to those. */
async function registry(answer: RequestListener): Promise<{ host: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** The parts of an image with one layer, by digest, and its manifest. */
async function image(): Promise<{ manifest: Buffer; blobs: Map<string, Buffer> }> {
  const options = { entries: ["pull.test.ts"] };
  const layer = await buffer(Readable.from(pack(import.meta.dirname, options)));
  const packed = gzipSync(layer);
  const config = Buffer.from(JSON.stringify({
    architecture: docker.engine.arch,
    os: "linux",
    config: { Cmd: ["/server", "--stdio"], User: "1000" },
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
  }));
  const described = (mediaType: string, bytes: Uint8Array) => ({
    mediaType: `application/vnd.docker.${mediaType}`,
    size: bytes.length,
    digest: digestOf(bytes),
  });
  const manifest = Buffer.from(JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: described("container.image.v1+json", config),
    layers: [described("image.rootfs.diff.tar.gzip", packed)],
  }));
  return { manifest, blobs: new Map([config, packed].map((bytes) => [digestOf(bytes), bytes])) };
}

story("ensureImage() pulls an image once, telling so, and knows its command", async () => {
  const { manifest, blobs } = await image();
  const { host, requests } = await registry(({ url = "" }, response) => {
    const blob = blobs.get(url.split("/blobs/")[1] ?? "");
    if (url === "/v2/") response.end("{}");
    else if (blob !== undefined) response.end(blob);
    else if (url.includes("/manifests/")) {
      response.setHeader("content-type", "application/vnd.docker.distribution.manifest.v2+json");
      response.setHeader("docker-content-digest", digestOf(manifest));
      response.setHeader("content-length", manifest.length);
      response.end(manifest);
    } else response.writeHead(404).end();
  });
  const reference = `${host}/test/server`;
  const source = { kind: "image", reference } as const;
  const ready = { image: `${reference}:latest`, command: ["/server", "--stdio"] };
  try {
    const told: string[] = [];
    const { id, ...first } = await ensureImage(docker.engine, source, (line) => told.push(line));
    assert.deepEqual(first, ready);
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(told, [
      `Pulling image ${reference}:latest`,
      `Pulled image ${reference}:latest`,
    ]);
    const pulls = requests.length;
    assert.deepEqual(
      await ensureImage(docker.engine, source, () => assert.fail("It works again")),
      { ...ready, id },
    );
    assert.equal(requests.length, pulls);
  } finally {
    await docker.engine.docker.getImage(ready.image).remove();
  }
});

const failures: [why: string, answer: RequestListener, message: RegExp][] = [
  [
    "is not in its registry",
    ({ url }, response) => {
      if (url === "/v2/") response.end("{}");
      else {
        response.writeHead(404, { "content-type": "application/json" });
        response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      }
    },
    /it does not exist or needs a login, check its name, or pull it yourself \("docker pull /,
  ],
  [
    "needs a login",
    (_request, response) => {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' });
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
    },
    /its registry asks for a login, use "docker login"/,
  ],
  [
    "cannot be reached",
    ({ socket }) => socket.destroy(),
    /its registry cannot be reached, check the network/,
  ],
];
for (const [why, answer, message] of failures) {
  story(`ensureImage() names an image that ${why}, and what to do`, async () => {
    const { host } = await registry(answer);
    const source = { kind: "image", reference: `${host}/test/server:1` } as const;
    await assert.rejects(ensureImage(docker.engine, source, () => {}), (error: Error) => {
      assert.match(error.message, message);
      assert.match(error.message, new RegExp(`^Cannot pull image "${host}/test/server:1": `));
      return Reflect.get(error, "code") === "image_missing";
    });
  });
}
