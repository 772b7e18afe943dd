import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openSecretStore } from "../../runner/secrets/store.ts";

const posixOnly = { skip: process.platform === "win32" ? "rights of POSIX" : false };

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-sealed-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const VALUE = "hunter2secret";

/** A store in files, with two secrets. */
async function create(env: Readonly<Record<string, string>> = {}) {
  const home = await mkdtemp(join(folder, "home-"));
  const store = openSecretStore({ home, env });
  await store.set("a", VALUE, "file");
  await store.set("b", "value of b", "file");
  return { home, store, path: join(home, "secrets.enc") };
}

interface Sealed {
  salt?: string;
  check: { nonce: string; sealed: string };
  secrets: { name: string; nonce: string; sealed: string }[];
}

async function change(path: string, edit: (file: Sealed) => void): Promise<void> {
  const file = JSON.parse(await readFile(path, "utf8")) as Sealed;
  edit(file);
  await writeFile(path, JSON.stringify(file));
}

/** The same base64 with one bit of its bytes turned. */
function turned(text: string): string {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return btoa(String.fromCharCode(...bytes));
}

test("each value is sealed with a nonce of its own, anew at every change", async () => {
  const { store, path } = await create();
  const nonces = new Set<string>();
  for (let n = 0; n < 5; n++) {
    const { check, secrets } = JSON.parse(await readFile(path, "utf8")) as Sealed;
    for (const { nonce } of [check, ...secrets]) nonces.add(nonce);
    await store.set("a", VALUE);
  }
  assert.equal(nonces.size, 15);
});

test("a value that was changed, cut or moved to another name is not given out", async () => {
  const edits: readonly ((file: Sealed) => void)[] = [
    ({ secrets: [a] }) => a && (a.sealed = turned(a.sealed)),
    ({ secrets: [a] }) => a && (a.nonce = turned(a.nonce)),
    ({ secrets: [a] }) => a && (a.sealed = a.sealed.slice(0, -4)),
    ({ secrets: [a] }) => a && (a.sealed = ""),
    ({ secrets: [a, b] }) => a && b && ([a.name, b.name] = [b.name, a.name]),
  ];
  for (const edit of edits) {
    const { store, path } = await create();
    await change(path, edit);
    await assert.rejects(store.get("a"), {
      code: "store_unavailable",
      message: /^Cannot use secrets\.enc: .*changed by something else/,
    });
  }
});

test("what is not such a file is refused, and not repeated", async () => {
  const { store, path } = await create();
  for (const text of ["", "hunter2", "{}", '{"version":2}', "[]"]) {
    await writeFile(path, text);
    await assert.rejects(store.get("a"), {
      code: "store_unavailable",
      message: /it is not what mcp-runner writes/,
    });
  }
});

test("a key that is missing or another one is told in words", async () => {
  const { home, store } = await create();
  await rm(join(home, "secrets.key"));
  await assert.rejects(store.get("a"), { message: /its key, secrets\.key, is missing/ });
  await assert.rejects(store.set("c", VALUE), { message: /its key, secrets\.key, is missing/ });
  await writeFile(join(home, "secrets.key"), "A".repeat(43), { mode: 0o600 });
  await assert.rejects(store.get("a"), { message: /the key in secrets\.key is not its key/ });
  await writeFile(join(home, "secrets.key"), "short", { mode: 0o600 });
  await assert.rejects(store.get("a"), { message: /it holds no key/ });
});

test(
  "files that others can open are refused with the command that repairs it",
  posixOnly,
  async () => {
    const { home, store } = await create();
    for (const name of await readdir(home)) {
      await chmod(join(home, name), 0o644);
      await assert.rejects(store.get("a"), {
        code: "credentials_unsafe",
        message: new RegExp(`run: chmod 600 .*${name}$`),
      });
      await chmod(join(home, name), 0o600);
    }
    assert.equal(await store.get("a"), VALUE);
  },
);

test("MCP_RUNNER_KEY is the key, and is needed from then on", { timeout: 30_000 }, async () => {
  const env = { MCP_RUNNER_KEY: "correct horse battery staple" };
  const { home, store } = await create(env);
  assert.deepEqual((await readdir(home)).toSorted(), ["secrets.enc", "secrets.json"]);
  assert.equal(await store.get("a"), VALUE);
  await assert.rejects(openSecretStore({ home, env: {} }).get("a"), {
    message: /it needs the key that it was made with, set MCP_RUNNER_KEY/,
  });
  const wrong = openSecretStore({ home, env: { MCP_RUNNER_KEY: "wrong" } });
  const uses = [() => wrong.get("a"), () => wrong.set("c", VALUE), () => wrong.remove("a")];
  for (const use of uses) {
    await assert.rejects(use, { message: /MCP_RUNNER_KEY is not the key that it was made with/ });
  }
  assert.equal(await store.get("a"), VALUE);
});

test("MCP_RUNNER_KEY takes over at the next change, and the key file goes", async () => {
  const { home } = await create();
  const env = { MCP_RUNNER_KEY: "correct horse battery staple" };
  const store = openSecretStore({ home, env });
  assert.equal(await store.get("a"), VALUE);
  await store.set("c", "value of c");
  assert.deepEqual((await readdir(home)).toSorted(), ["secrets.enc", "secrets.json"]);
  assert.equal(await store.get("a"), VALUE);
  assert.equal(await store.get("c"), "value of c");
});
