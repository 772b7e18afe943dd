/**
 * What every `Store` must do, as one suite that each backend's own test applies to itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Change, Store } from "../../worker/store/store.ts";
import { increment, take } from "../support/store-moves.ts";

/** An empty store, and the means to turn its clock. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Sets the store's clock to `ms` since the epoch. */
  readonly setTime: (ms: number) => void | Promise<void>;
  readonly close: () => void | Promise<void>;
}

const START = 1_800_000_000_000;

/** Defines the suite for the stores that `open` makes; each test gets a new one. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  function story(claim: string, tell: (subject: StoreUnderTest) => Promise<void>): void {
    test(claim, async () => {
      const subject = await open();
      try {
        await subject.setTime(START);
        await tell(subject);
      } finally {
        await subject.close();
      }
    });
  }

  describe(`the store on ${name}`, () => {
    story("gives back what was put, and nothing for a key that was not", async ({ store }) => {
      const value = JSON.stringify({ text: 'Zoë ☂ 𝄞 "quoted"', list: [1, null] });
      assert.equal(await store.commit({ set: [{ key: "a/b", value }] }), true);

      const entry = await store.get("a/b");
      assert.equal(entry?.value, value);
      assert.ok(entry.version > 0);
      assert.equal(await store.get("a"), undefined);
      assert.equal(await store.get("a/b/c"), undefined);
    });

    story("keeps a value of the largest size", async ({ store }) => {
      const value = JSON.stringify("x".repeat(60 * 1024 - 2));
      await store.commit({ set: [{ key: "large", value }] });
      assert.equal((await store.get("large"))?.value, value);
    });

    story("refuses to create what exists", async ({ store }) => {
      assert.equal(await store.commit(putOver(0, "1")), true);
      assert.equal(await store.commit(putOver(0, "2")), false);
      assert.equal((await store.get("k"))?.value, "1");
    });

    story("refuses a change that was decided on a stale version", async ({ store }) => {
      const first = await put(store, "k", "1");
      const second = await put(store, "k", "2");
      assert.ok(second > first);

      assert.equal(await store.commit(putOver(first, "3")), false);
      assert.equal(await store.commit(putOver(second, "4")), true);
      assert.equal((await store.get("k"))?.value, "4");
    });

    story(
      "never gives a version again, so that a rewritten key is not mistaken",
      async ({ store }) => {
        const before = await put(store, "k", "1");
        await store.commit({ del: ["k"] });
        const after = await put(store, "k", "1");
        assert.ok(after > before);
        assert.equal(await store.commit({ check: [{ key: "k", version: before }] }), false);
      },
    );

    story("lets exactly one of 50 concurrent takers have an entry", async ({ store }) => {
      await put(store, "code", "1");
      const takes = await Promise.all(Array.from({ length: 50 }, () => take(store, "code")));
      assert.equal(takes.filter(Boolean).length, 1);
      assert.equal(await store.get("code"), undefined);
    });

    story("lets exactly one of 50 concurrent creators create", async ({ store }) => {
      const creations = await Promise.all(
        Array.from({ length: 50 }, (_, n) => store.commit(putOver(0, String(n)))),
      );
      assert.equal(creations.filter(Boolean).length, 1);
      assert.equal((await store.get("k"))?.value, String(creations.indexOf(true)));
    });

    story("counts right when 20 count at once and retry what fails", async ({ store }) => {
      await Promise.all(Array.from({ length: 20 }, () => increment(store, "n")));
      assert.equal((await store.get("n"))?.value, "20");
    });

    story("does nothing of a change of which one check fails", async ({ store }) => {
      const version = await put(store, "kept", "1");
      const committed = await store.commit({
        check: [{ key: "kept", version }, { key: "absent", version: 7 }],
        set: [{ key: "new", value: "1" }, { key: "other", value: "1" }],
        del: ["kept"],
      });
      assert.equal(committed, false);
      assert.equal(await store.get("new"), undefined);
      assert.equal(await store.get("other"), undefined);
      assert.equal((await store.get("kept"))?.version, version);
    });

    story("does all of a change whose checks hold", async ({ store }) => {
      const version = await put(store, "old", "1");
      const committed = await store.commit({
        check: [{ key: "old", version }, { key: "new", version: 0 }],
        set: [{ key: "new", value: "2" }],
        del: ["old", "never-there"],
      });
      assert.equal(committed, true);
      assert.equal(await store.get("old"), undefined);
      assert.equal((await store.get("new"))?.value, "2");
    });

    story("forgets an entry at the end of its life", async ({ store, setTime }) => {
      await store.commit({
        set: [{ key: "t/short", value: "1", ttlMs: 1000 }, { key: "t/long", value: "1" }],
      });
      const { version } = await entryAt(store, "t/short");

      await setTime(START + 999);
      assert.equal((await store.list("t/")).length, 2);
      await setTime(START + 1000);
      assert.equal(await store.get("t/short"), undefined);
      assert.deepEqual((await store.list("t/")).map(([key]) => key), ["t/long"]);
      assert.equal(await store.commit({ check: [{ key: "t/short", version }] }), false);
      assert.equal(await store.commit({ check: [{ key: "t/short", version: 0 }] }), true);
    });

    story("gives an entry the life of its last write", async ({ store, setTime }) => {
      await store.commit({ set: [{ key: "a", value: "1", ttlMs: 1000 }] });
      await store.commit({ set: [{ key: "b", value: "1", ttlMs: 1000 }] });
      await store.commit({
        set: [{ key: "a", value: "2" }, { key: "b", value: "2", ttlMs: 5000 }],
      });

      await setTime(START + 4999);
      assert.equal((await store.get("a"))?.value, "2");
      assert.equal((await store.get("b"))?.value, "2");
      await setTime(START + 5000);
      assert.equal((await store.get("a"))?.value, "2");
      assert.equal(await store.get("b"), undefined);
    });

    story("stays right while expired entries are swept", async ({ store, setTime }) => {
      for (let n = 0; n < 20; n++) {
        await store.commit({ set: [{ key: `s/${n}`, value: "1", ttlMs: 10 }] });
      }
      await put(store, "s/kept", "1");
      for (const minutes of [2, 4, 6]) {
        await setTime(START + minutes * 60_000);
        await put(store, "s/kept", "2");
        assert.deepEqual((await store.list("s/")).map(([key]) => key), ["s/kept"]);
      }
    });

    story("lists what is under a prefix, in order of keys, with values", async ({ store }) => {
      for (const key of ["p/b", "p/a/z", "p/B", "p/10", "p/9", "q/a", "p", "pp/a", "p0", "p-/a"]) {
        await put(store, key, JSON.stringify(key));
      }
      const listed = await store.list("p/");
      assert.deepEqual(listed.map(([key]) => key), ["p/10", "p/9", "p/B", "p/a/z", "p/b"]);
      for (const [key, entry] of listed) {
        assert.equal(entry.value, JSON.stringify(key));
        assert.deepEqual(entry, await store.get(key));
      }
      assert.deepEqual((await store.list("p/a/")).map(([key]) => key), ["p/a/z"]);
      assert.deepEqual(await store.list("none/"), []);
    });

    story("lists no more than asked, and 100 when not asked", async ({ store }) => {
      const keys = Array.from({ length: 130 }, (_, n) => `l/${String(n).padStart(3, "0")}`);
      const puts = keys.map((key) => ({ key, value: "1" }));
      await store.commit({ set: puts.slice(0, 65) });
      await store.commit({ set: puts.slice(65) });

      const listed = async (limit?: number) => (await store.list("l/", limit)).map(([key]) => key);
      assert.deepEqual(await listed(3), keys.slice(0, 3));
      assert.deepEqual(await listed(), keys.slice(0, 100));
      assert.deepEqual(await listed(1000), keys);
    });

    story("treats keys and values as data, never as SQL", async ({ store }) => {
      const key = `x'";DROP-TABLE-store;--%_*?[a]`;
      await put(store, key, JSON.stringify(key));
      await put(store, "x%/a", "1");
      await put(store, "xy/a", "1");
      assert.equal((await store.get(key))?.value, JSON.stringify(key));
      assert.deepEqual((await store.list("x%/")).map(([found]) => found), ["x%/a"]);
    });

    const badChanges: ReadonlyArray<readonly [why: string, change: Change]> = [
      ["an empty key", { set: [{ key: "", value: "1" }] }],
      ["a key that ends in a slash", { set: [{ key: "a/", value: "1" }] }],
      ["a key with an empty segment", { set: [{ key: "a//b", value: "1" }] }],
      ["a key with a space", { del: ["a b"] }],
      ["a key with a control character", { check: [{ key: "a\n", version: 0 }] }],
      ["a key outside ASCII", { set: [{ key: "ä", value: "1" }] }],
      ["a key that is too long", { set: [{ key: "k".repeat(513), value: "1" }] }],
      ["a value that is too long", { set: [{ key: "k", value: "x".repeat(60 * 1024 + 1) }] }],
      ["a value that is too long in UTF-8", { set: [{ key: "k", value: "é".repeat(31 * 1024) }] }],
      ["a life of zero", { set: [{ key: "k", value: "1", ttlMs: 0 }] }],
      ["a life that is no number", { set: [{ key: "k", value: "1", ttlMs: Number.NaN }] }],
      ["a life that is no whole number", { set: [{ key: "k", value: "1", ttlMs: 1.5 }] }],
      ["a negative version", { check: [{ key: "k", version: -1 }] }],
      ["a key written twice", { set: [{ key: "k", value: "1" }], del: ["k"] }],
      ["too many parts", { del: Array.from({ length: 101 }, (_, n) => `k${n}`) }],
    ];

    story("refuses arguments that some backend could not keep", async ({ store }) => {
      for (const [why, change] of badChanges) {
        const whole = { ...change, set: [{ key: "beside", value: "1" }, ...change.set ?? []] };
        await assert.rejects(store.commit(whole), RangeError, why);
      }
      assert.equal(await store.get("beside"), undefined);
      await assert.rejects(store.get("a b"), RangeError);
      for (const prefix of ["a", "", "/", "a b/"]) {
        await assert.rejects(store.list(prefix), RangeError, prefix);
      }
      for (const limit of [0, -1, 1.5, 1001, Number.NaN]) {
        await assert.rejects(store.list("a/", limit), RangeError, String(limit));
      }
    });
  });
}

/** Writes "k" if it is still at `version`. */
function putOver(version: number, value: string): Change {
  return { check: [{ key: "k", version }], set: [{ key: "k", value }] };
}

async function put(store: Store, key: string, value: string): Promise<number> {
  assert.equal(await store.commit({ set: [{ key, value }] }), true);
  return (await entryAt(store, key)).version;
}

async function entryAt(store: Store, key: string) {
  const entry = await store.get(key);
  assert.ok(entry !== undefined, `nothing at ${key}`);
  return entry;
}
