import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { inspectImage } from "../../runner/docker/inspect.ts";
import { ensureImage, type ImageOptions } from "../../runner/image/image.ts";
import { type ImageLock, openImageLock } from "../../runner/image/lock.ts";
import type { JournalEvent } from "../../runner/journal/event.ts";
import { useEngine, withImage } from "../support/engine.ts";
import { openTestRegistry, type TestRegistry } from "../support/registry.ts";

const { docker, skip } = await useEngine();

const folder = await mkdtemp(join(tmpdir(), "mcp-runner-pin-test-"));
after(() => rm(folder, { recursive: true }));

/** One configuration with a server whose image is `notes:1` of a registry. */
interface Fixture {
  readonly registry: TestRegistry;
  readonly reference: string;
  readonly path: string;
  lock: ImageLock;
  readonly warnings: string[];
  readonly events: JournalEvent[];
  /** Puts other content under the tag; its digest. */
  publish(mark: string): Promise<string>;
  ensure(options?: ImageOptions): ReturnType<typeof ensureImage>;
  /** Removes all that the engine has of the image. */
  forget(): Promise<void>;
}

let files = 0;

const story = (name: string, run: (fixture: Fixture) => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, async () => {
    const registry = await openTestRegistry();
    const reference = `${registry.host}/ada/notes:1`;
    const path = join(folder, `${++files}.lock`);
    const ids = new Set<string>();
    const warnings: string[] = [];
    const events: JournalEvent[] = [];
    const warn = (line: string) => void warnings.push(line);
    const journal = {
      write: (event: JournalEvent) => void events.push(event),
      close: async () => {},
    };
    const fixture: Fixture = {
      registry,
      reference,
      path,
      lock: openImageLock(path, warn),
      warnings,
      events,
      publish: (mark) =>
        registry.putImage("ada/notes", "1", { architecture: docker.engine.arch, mark }),
      async ensure(options = {}) {
        const source = { kind: "image", reference } as const;
        const { lock } = fixture;
        const all = { lock, journal, server: "notes", warn, ...options };
        const ready = await ensureImage(docker.engine, source, () => {}, all);
        ids.add(ready.id);
        return ready;
      },
      async forget() {
        const tagged = await inspectImage(docker.engine, reference);
        for (const id of [...ids, ...(tagged === undefined ? [] : [tagged.Id])]) {
          await docker.engine.docker.getImage(id).remove({ force: true }).catch(() => {});
        }
        ids.clear();
      },
    };
    try {
      await run(fixture);
    } finally {
      await fixture.forget();
    }
  });

/** Moves the tag in the engine, as somebody's `docker pull` does. */
async function pullTag({ reference }: Fixture): Promise<void> {
  const source = { kind: "image", reference } as const;
  const current = await inspectImage(docker.engine, reference);
  if (current !== undefined) await docker.engine.docker.getImage(reference).remove();
  await ensureImage(docker.engine, source, () => {});
}

story("an image is pinned by its first start, and told to the journal", async (notes) => {
  const digest = await notes.publish("first");
  const ready = await notes.ensure();
  assert.equal(ready.image, `${notes.registry.host}/ada/notes@${digest}`);
  assert.equal(ready.digest, digest);
  // The engine takes that name for a container.
  const container = await docker.engine.docker.createContainer({ Image: ready.image });
  await container.remove();
  const file: unknown = JSON.parse(await readFile(notes.path, "utf8"));
  assert.partialDeepStrictEqual(file, { version: 1, pins: { [notes.reference]: { digest } } });
  assert.partialDeepStrictEqual(notes.events, [
    { type: "pull", server: "notes", image: notes.reference },
  ]);
});

story("a pinned image starts without a registry, and starts again at once", async (notes) => {
  await notes.publish("first");
  const first = await notes.ensure();
  notes.registry.close();
  notes.lock = openImageLock(notes.path, (line) => assert.fail(line));
  const started = performance.now();
  assert.deepEqual(await notes.ensure({ offline: true }), first);
  assert.ok(performance.now() - started < 2_000);
});

story(
  "a tag that moved in the registry still means what was pinned, on a new machine too",
  async (notes) => {
    const approved = await notes.publish("first");
    const first = await notes.ensure();
    await notes.forget();
    await notes.publish("second");
    assert.deepEqual(await notes.ensure(), first);
    assert.equal((await notes.ensure()).digest, approved);
    assert.deepEqual(notes.warnings, []);
  },
);

story(
  "a tag that moved in the engine leaves the approved image running, with one warning",
  async (notes) => {
    await notes.publish("first");
    const first = await notes.ensure();
    // Something else keeps the old image from being removed with its tag.
    await docker.engine.docker.getImage(first.id).tag({ repo: "mcp-runner-test/kept", tag: "1" });
    try {
      notes.registry.clear();
      const moved = await notes.publish("second");
      await pullTag(notes);
      assert.equal((await notes.ensure()).id, first.id);
      assert.equal((await notes.ensure()).id, first.id);
      assert.deepEqual(notes.warnings, [
        `Image "${notes.reference}" now leads to ${moved.slice(7, 19)}; the approved ${
          first.digest.slice(7, 19)
        } goes on running, "mcp-runner approve notes" accepts the new one`,
      ]);
      assert.equal(notes.events.filter(({ type }) => type === "drift").length, 1);
    } finally {
      await docker.engine.docker.getImage("mcp-runner-test/kept:1").remove();
    }
  },
);

story("what was pinned and is gone is not replaced by what the tag leads to", async (notes) => {
  const before = await notes.publish("first");
  await notes.ensure();
  await notes.forget();
  notes.registry.clear();
  const now = await notes.publish("second");
  const message = `Cannot start image "${notes.reference}": it was ${
    before.slice(7, 19)
  } when it was pinned and is ${now.slice(7, 19)} now, "mcp-runner approve notes" accepts it`;
  await assert.rejects(notes.ensure(), { code: "image_changed", message });
  assert.partialDeepStrictEqual(notes.events.at(-1), {
    type: "drift",
    server: "notes",
    message,
  });

  // The tag is in the engine now, and the answer stays.
  await assert.rejects(notes.ensure(), { code: "image_changed", message });
  notes.registry.close();
  await assert.rejects(notes.ensure(), { code: "image_changed", message });

  const declined = new Error("A person said no");
  const check = () => Promise.reject(declined);
  await assert.rejects(notes.ensure({ accept: true, check }), declined);
  await assert.rejects(notes.ensure(), { code: "image_changed", message });

  const accepted = await notes.ensure({ accept: true, check: async () => {} });
  assert.equal(accepted.digest, now);
  assert.deepEqual(await notes.ensure(), accepted);
});

story("a pinned image that is nowhere is missing and not changed", async (notes) => {
  const digest = await notes.publish("first");
  await notes.ensure();
  await notes.forget();
  await assert.rejects(notes.ensure({ offline: true }), {
    code: "image_missing",
    message: /the engine does not have it, and nothing is to be fetched/,
  });
  notes.registry.close();
  await assert.rejects(notes.ensure(), {
    code: "image_missing",
    message: new RegExp(`notes@${digest}": its registry cannot be reached, check the network`),
  });
});

story("a reference with a digest needs no lock", async (notes) => {
  const digest = await notes.publish("first");
  await notes.publish("second");
  const reference = `${notes.registry.host}/ada/notes@${digest}`;
  const source = { kind: "image", reference } as const;
  const lock: ImageLock = { get: () => assert.fail("read"), set: () => assert.fail("written") };
  const ready = await ensureImage(docker.engine, source, () => {}, { lock });
  assert.equal(ready.image, reference);
  assert.equal(ready.digest, digest);
  await docker.engine.docker.getImage(ready.id).remove({ force: true });
});

story("an image that is from no registry is pinned by its id", async (notes) => {
  await withImage(docker.engine, ["FROM scratch", "LABEL mark=one"], async (one) => {
    await withImage(docker.engine, ["FROM scratch", "LABEL mark=two"], async (two) => {
      const tag = (id: string) =>
        docker.engine.docker.getImage(id).tag({ repo: notes.reference.slice(0, -2), tag: "1" });
      await tag(one);
      const ready = await notes.ensure();
      assert.deepEqual([ready.image, ready.digest], [one, one]);
      await tag(two);
      assert.equal((await notes.ensure()).image, one);
      assert.match(notes.warnings[0] ?? "", /goes on running/);
    });
  });
});

for (
  const name of [
    "mcp-runner/npm-notes:1",
    "docker.io/mcp-runner/npm-notes",
    "localhost/mcp-runner/x",
  ]
) {
  void test(
    `the image ${name} is never pulled: it would be taken for one made here`,
    { skip },
    () =>
      assert.rejects(ensureImage(docker.engine, { kind: "image", reference: name }, () => {}), {
        code: "image_missing",
        message: /: names of mcp-runner\/ are for images that are made here, correct the source$/,
      }),
  );
}
