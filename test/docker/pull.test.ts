import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { after, test } from "node:test";
import { ensureImage } from "../../runner/image/image.ts";
import { until, useEngine } from "../support/engine.ts";
import { openTestRegistry } from "../support/registry.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

const made: string[] = [];
after(async () => {
  for (const id of new Set(made)) await docker.engine.docker.getImage(id).remove({ force: true });
});

/** `ensureImage()` of a reference; what it makes is removed after the tests. */
async function ensure(reference: string, progress: (line: string) => void = () => {}) {
  const ready = await ensureImage(docker.engine, { kind: "image", reference }, progress);
  made.push(ready.id);
  return ready;
}

story("ensureImage() pulls an image once, telling so, and knows its command", async () => {
  const registry = await openTestRegistry();
  const digest = await registry.putImage("test/server", "latest", {
    architecture: docker.engine.arch,
  });
  const reference = `${registry.host}/test/server`;
  const told: string[] = [];
  const { id, ...first } = await ensure(reference, (line) => told.push(line));
  assert.deepEqual(first, {
    image: `${reference}@${digest}`,
    name: `${reference}:latest`,
    digest,
    command: ["/server", "--stdio"],
  });
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(told, [
    `Pulling image ${reference}:latest`,
    `Pulled image ${reference}:latest`,
  ]);
  const pulls = registry.requests.length;
  assert.deepEqual(await ensure(reference, () => assert.fail("It works again")), { ...first, id });
  assert.equal(registry.requests.length, pulls);
});

story("servers of one image share its pull", async () => {
  const registry = await openTestRegistry();
  await registry.putImage("test/shared", "1", { architecture: docker.engine.arch, mark: "shared" });
  const reference = `${registry.host}/test/shared:1`;
  const told: string[][] = [[], [], []];
  const ready = await Promise.all(
    told.map((lines) => ensure(reference, (line) => lines.push(line))),
  );
  assert.equal(new Set(ready.map(({ digest }) => digest)).size, 1);
  for (const lines of told) assert.equal(lines.at(-1), `Pulled image ${reference}`);
  const layers = registry.requests.filter((request) =>
    request.startsWith("GET /v2/test/shared/blobs")
  );
  assert.equal(new Set(layers).size, layers.length, "each blob was fetched once");
});

story("a registry that answers slowly holds up its own servers alone", async () => {
  const [slow, quick] = [await openTestRegistry(), await openTestRegistry()];
  const architecture = docker.engine.arch;
  await slow.putImage("test/slow", "1", { architecture, mark: "slow" });
  await quick.putImage("test/quick", "1", { architecture, mark: "quick" });
  let release = () => {};
  slow.instead = (request, response) => {
    release = () => {
      slow.instead = undefined;
      response.writeHead(302, { location: request.url }).end();
    };
  };
  const late = ensure(`${slow.host}/test/slow:1`);
  await until("the slow pull", () => slow.requests.length > 0);
  await ensure(`${quick.host}/test/quick:1`);
  release();
  await late;
});

story("two images are pulled at a time, and the third after one of them", async () => {
  const pulls = await Promise.all([1, 2, 3].map(async (mark) => {
    const registry = await openTestRegistry();
    await registry.putImage("test/three", "1", {
      architecture: docker.engine.arch,
      mark: `of three: ${mark}`,
    });
    const held: (() => void)[] = [];
    registry.instead = (request, response) => {
      held.push(() => registry.pass(request, response));
    };
    const told: string[] = [];
    return {
      told,
      started: () => registry.requests.length > 0,
      release() {
        registry.instead = undefined;
        for (const answer of held) answer();
      },
      ready: ensure(`${registry.host}/test/three:1`, (line) => told.push(line)),
    };
  }));
  const started = () => pulls.filter((pull) => pull.started());
  // Which two come first is up to the engine, which is asked about each image before.
  await until("two pulls", () => started().length === 2);
  const inLine = () => pulls.find(({ told }) => told.some((line) => line.startsWith("Waiting")));
  await until("the third in line", () => inLine() !== undefined);
  assert.equal(inLine()?.started(), false);
  const [one] = started();
  assert.ok(one);
  one.release();
  await one.ready;
  await until("the third pull", () => started().length === 3);
  for (const pull of pulls) pull.release();
  await Promise.all(pulls.map(({ ready }) => ready));
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
    "may not be pulled so often",
    ({ url }, response) => {
      if (url === "/v2/") response.end("{}");
      else {
        response.writeHead(429, { "content-type": "application/json" });
        response.end('{"errors":[{"code":"TOOMANYREQUESTS","message":"rate limit exceeded"}]}');
      }
    },
    /its registry allows no more pulls for now, try later or log in/,
  ],
  [
    "cannot be reached",
    ({ socket }) => socket.destroy(),
    /its registry cannot be reached, check the network/,
  ],
];
for (const [why, answer, message] of failures) {
  story(`ensureImage() names an image that ${why}, and what to do`, async () => {
    const registry = await openTestRegistry();
    registry.instead = answer;
    await assert.rejects(ensure(`${registry.host}/test/server:1`), (error: Error) => {
      assert.match(error.message, message);
      assert.match(
        error.message,
        new RegExp(`^Cannot pull image "${registry.host}/test/server:1": `),
      );
      return Reflect.get(error, "code") === "image_missing";
    });
  });
}

story("an image for another processor is refused with both platforms", async () => {
  const registry = await openTestRegistry();
  await registry.putImage("test/foreign", "1", { architecture: "s390x" });
  const reference = `${registry.host}/test/foreign:1`;
  await assert.rejects(ensure(reference), {
    code: "image_missing",
    message: new RegExp(
      `^Cannot run image "${reference}": it is made for linux/s390x and this engine is linux/${docker.engine.arch}, choose`,
    ),
  });
  await docker.engine.docker.getImage(reference).remove();
});
