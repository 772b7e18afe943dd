import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { secretVersion } from "../../runner/secrets/index-file.ts";
import { openSecretStore } from "../../runner/secrets/store.ts";
import { createHelperMachine } from "../support/credential-helper.ts";

const skip = process.platform === "win32" ? "programs and rights of POSIX" : false;

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-secrets-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const VALUE = 'hunter2 "quoted" ✓\nsecond line';

/** All files of a directory, as one text. */
async function textIn(home: string): Promise<string> {
  const names = await readdir(home);
  return (await Promise.all(names.map((name) => readFile(join(home, name), "utf8")))).join("\n");
}

async function newHome(): Promise<string> {
  return await mkdtemp(join(folder, "home-"));
}

/** A machine whose Docker CLI uses no helper. */
async function plain() {
  const home = await newHome();
  return { home, env: { PATH: "/usr/bin:/bin", HOME: home } };
}

describe("a store without a keychain", { skip }, () => {
  test("keeps values in an encrypted file that its user alone can open", async () => {
    const place = await plain();
    const store = openSecretStore(place);
    const stored = await store.set("GITHUB_TOKEN", VALUE);
    assert.equal(stored.store, "file");
    assert.equal(await openSecretStore(place).get("GITHUB_TOKEN"), VALUE);

    assert.deepEqual((await readdir(place.home)).toSorted(), [
      "secrets.enc",
      "secrets.json",
      "secrets.key",
    ]);
    for (const name of await readdir(place.home)) {
      assert.equal((await stat(join(place.home, name))).mode & 0o777, 0o600, name);
    }
    assert.doesNotMatch(await textIn(place.home), /hunter2|second line|aHVudGVy/);
  });

  test("lists names and places, never values, and forgets what is removed", async () => {
    const { home, env } = await plain();
    const store = openSecretStore({ home, env });
    await store.set("b", "value of b");
    await store.set("a", "value of a");
    assert.deepEqual((await store.list()).map(({ name, store: where }) => [name, where]), [
      ["a", "file"],
      ["b", "file"],
    ]);
    assert.equal(await store.remove("a"), true);
    assert.equal(await store.remove("a"), false);
    assert.equal(await store.has("a"), false);
    assert.equal(await store.get("a"), undefined);
    assert.equal(await store.get("b"), "value of b");
    assert.doesNotMatch(await readFile(join(home, "secrets.enc"), "utf8"), /"name": "a"/);
  });

  test("says that a secret has changed, each time it is set", async () => {
    const { home, env } = await plain();
    const store = openSecretStore({ home, env });
    const versions = [await secretVersion(home, "a")];
    for (let n = 0; n < 3; n++) {
      await store.set("a", "the same value");
      versions.push(await secretVersion(home, "a"));
    }
    assert.equal(versions[0], undefined);
    assert.equal(new Set(versions).size, 4);
  });

  test("loses nothing when several are set at the same time", async () => {
    const { home, env } = await plain();
    const names = Array.from({ length: 8 }, (_, n) => `s${n}`);
    await Promise.all(
      names.map((name) => openSecretStore({ home, env }).set(name, `value of ${name}`)),
    );
    const store = openSecretStore({ home, env });
    for (const name of names) assert.equal(await store.get(name), `value of ${name}`);
    assert.deepEqual((await store.list()).map(({ name }) => name), names);
  });

  test("refuses patterns and other names that are none, and does not repeat them", async () => {
    const { home, env } = await plain();
    const store = openSecretStore({ home, env });
    for (const name of ["*", "git*", "", "a b", "../a", "a\n", "-rf", "x".repeat(129), "ghp_a=b"]) {
      const uses = [
        () => store.get(name),
        () => store.has(name),
        () => store.set(name, VALUE),
        () => store.remove(name),
      ];
      for (const use of uses) {
        await assert.rejects(use, (error: Error & { code?: string }) => {
          assert.equal(error.code, "usage");
          assert.ok(name.length < 3 || !error.message.includes(name));
          return true;
        });
      }
    }
    assert.deepEqual(await readdir(home), []);
  });

  test("takes names that every object has", async () => {
    const { home, env } = await plain();
    const store = openSecretStore({ home, env });
    for (const name of ["constructor", "toString", "hasOwnProperty"]) {
      assert.equal(await store.get(name), undefined);
      await store.set(name, `value of ${name}`);
      assert.equal(await store.get(name), `value of ${name}`);
    }
  });

  test("refuses what no server could get", async () => {
    const { home, env } = await plain();
    const store = openSecretStore({ home, env });
    for (const value of ["", "a\0b", "x".repeat(65_537), "\ud800"]) {
      await assert.rejects(store.set("a", value), { code: "usage" });
    }
  });

  test("a keychain that is asked for but not there is refused in words", async () => {
    const { home, env } = await plain();
    await assert.rejects(openSecretStore({ home, env }).set("a", VALUE, "keychain"), {
      code: "store_unavailable",
      message: /names no credsStore, use --store file/,
    });
  });
});

describe("a store with a keychain", { skip }, () => {
  test("keeps values there and no trace of them in the state directory", async () => {
    const { home, env, kept } = await createHelperMachine(folder);
    const store = openSecretStore({ home, env });
    const stored = await store.set("GITHUB_TOKEN", VALUE);
    assert.deepEqual([stored.store, stored.helper], ["keychain", "folder"]);
    assert.equal(await openSecretStore({ home, env }).get("GITHUB_TOKEN"), VALUE);
    assert.deepEqual(await readdir(home), ["secrets.json"]);
    assert.doesNotMatch(await textIn(home), /hunter2/);
    assert.match(await kept(), /hunter2/);

    assert.equal(await store.remove("GITHUB_TOKEN"), true);
    assert.equal(await store.get("GITHUB_TOKEN"), undefined);
    assert.doesNotMatch(await kept(), /hunter2/);
  });

  test("the first secret decides where the others go, and each can be moved", async () => {
    const { home, env, kept } = await createHelperMachine(folder);
    const store = openSecretStore({ home, env });
    await store.set("a", "value of a", "file");
    assert.equal((await store.set("b", "value of b")).store, "file");
    assert.equal((await store.set("a", "value of a", "keychain")).store, "keychain");
    assert.equal((await store.set("a", "new value of a")).store, "keychain");
    assert.doesNotMatch(await readFile(join(home, "secrets.enc"), "utf8"), /"name": "a"/);
    assert.equal((await store.set("a", "last value of a", "file")).store, "file");
    assert.doesNotMatch(await kept(), /value of a/);
    assert.equal(await store.get("a"), "last value of a");
  });

  test("a secret stays where it is when Docker changes its helper", async () => {
    const { home, env } = await createHelperMachine(folder);
    await openSecretStore({ home, env }).set("a", VALUE);
    const elsewhere = { ...env, DOCKER_CONFIG: join(home, "nothing") };
    assert.equal(await openSecretStore({ home, env: elsewhere }).get("a"), VALUE);
  });

  test("is not used where MCP_RUNNER_KEY is set", async () => {
    const { home, env } = await createHelperMachine(folder);
    const store = openSecretStore({ home, env: { ...env, MCP_RUNNER_KEY: "a long passphrase" } });
    assert.equal((await store.set("a", VALUE)).store, "file");
  });

  const broken: readonly (readonly [why: string, script: string, message: RegExp])[] = [
    ["fails", "#!/bin/sh\necho $$secret; exit 3\n", /docker-credential-folder: it ended with 3/],
    [
      "loses values",
      '#!/bin/sh\necho \'{"Secret":"hunter"}\'\n',
      /does not keep the value as it is/,
    ],
    ["answers nonsense", "#!/bin/sh\necho hunter2\n", /does not answer as a credential helper/],
  ];
  for (const [why, script, message] of broken) {
    test(`one that ${why} is told in words, and a first secret goes into a file`, async () => {
      const { home, env } = await createHelperMachine(folder, script);
      const told: string[] = [];
      const store = openSecretStore({ home, env, log: (_, text) => told.push(text) });
      await assert.rejects(store.set("a", VALUE, "keychain"), {
        code: "store_unavailable",
        message,
      });
      assert.equal((await store.set("a", VALUE)).store, "file");
      assert.match(told.join(), message);
      assert.doesNotMatch(told.join(), /hunter/);
    });
  }

  test("one that is not installed is told in words", async () => {
    const { home, env } = await createHelperMachine(folder);
    const store = openSecretStore({ home, env: { ...env, PATH: "/nowhere" } });
    await assert.rejects(store.set("a", VALUE, "keychain"), {
      message: /docker-credential-folder: it is not installed/,
    });
  });
});
