import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openSecrets } from "../../runner/secrets/open.ts";
import { runProgram } from "../../runner/secrets/program.ts";
import { createRedactor } from "../../runner/secrets/redacting.ts";
import { parseSecretReference, type SecretReference } from "../../runner/secrets/reference.ts";
import { openSecretStore } from "../../runner/secrets/store.ts";

const posixOnly = { skip: process.platform === "win32" ? "programs of POSIX" : false };

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-references-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A machine with programs, and what was logged. */
async function machine(
  { programs = {}, env = {} }: {
    readonly programs?: Readonly<Record<string, string>>;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
) {
  const home = await mkdtemp(join(folder, "home-"));
  const bin = await mkdtemp(join(folder, "bin-"));
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const logged: string[] = [];
  const redactor = createRedactor();
  const place = {
    home,
    env: { PATH: `${bin}:/usr/bin:/bin`, HOME: home, ...env },
    log: (...line: unknown[]) => void logged.push(JSON.stringify(line)),
    redactor,
  };
  const secrets = openSecrets(place);
  const resolve = (reference: SecretReference | string) =>
    secrets.resolve(
      typeof reference === "string" ? parseSecretReference(reference) : reference,
      "github",
    );
  return { home, bin, logged, redactor, resolve, store: openSecretStore(place) };
}

/** Matches an error of the code `secret_missing` with this message, in which no value is. */
function missing(message: RegExp) {
  return (error: Error & { readonly code?: string }) => {
    assert.equal(error.code, "secret_missing");
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  };
}

test("store: gives what was set last, asked anew each time", async () => {
  const { store, resolve } = await machine();
  await store.set("GITHUB_TOKEN", "first value");
  assert.equal(await resolve("store:GITHUB_TOKEN"), "first value");
  await store.set("GITHUB_TOKEN", "second value");
  assert.equal(await resolve("store:GITHUB_TOKEN"), "second value");
});

test("a secret that is not there names its server and the command that sets it", async () => {
  const { store, resolve } = await machine();
  await store.set("github_token", "hunter2 of another");
  await assert.rejects(
    resolve("store:GITHUB_TOKEN"),
    missing(
      /^Cannot start server "github": its secret store:GITHUB_TOKEN is missing, run: mcp-runner secret set GITHUB_TOKEN$/,
    ),
  );
});

test("patterns name no secret, wherever the reference comes from", async () => {
  const { store, resolve } = await machine();
  await store.set("GITHUB_TOKEN", "hunter2");
  for (const name of ["*", "GITHUB_*", "GITHUB_TOKE?", "", "GITHUB_TOKEN;id", "../secrets"]) {
    assert.throws(() => parseSecretReference(`store:${name}`), { code: "config_invalid" });
    await assert.rejects(resolve({ kind: "store", name }), missing(/no name of a secret/));
  }
});

test("a store that cannot be opened says why", async () => {
  const { home, store, resolve } = await machine();
  await store.set("a", "hunter2");
  await rm(join(home, "secrets.key"));
  await assert.rejects(
    resolve("store:a"),
    missing(
      /store:a cannot be read: Cannot use secrets\.enc: .*is missing.*run: mcp-runner secret set a$/,
    ),
  );
});

test("env: gives a variable of the runner, but never the key of its secrets", async () => {
  const { resolve } = await machine({
    env: { TOKEN: "hunter2", EMPTY: "", MCP_RUNNER_KEY: "hunter2" },
  });
  assert.equal(await resolve("env:TOKEN"), "hunter2");
  for (const name of ["NOT_SET", "EMPTY"]) {
    await assert.rejects(resolve(`env:${name}`), missing(new RegExp(`set ${name} for mcp-runner`)));
  }
  await assert.rejects(resolve("env:MCP_RUNNER_KEY"), missing(/not for servers/));
});

test(
  "file: gives the text without its last line end, and warns if others can read it",
  posixOnly,
  async () => {
    const { logged, resolve } = await machine();
    const path = join(folder, "token");
    await writeFile(path, "hunter2\n\n", { mode: 0o600 });
    assert.equal(await resolve(`file:${path}`), "hunter2\n");
    assert.deepEqual(logged, []);
    await writeFile(path, "hunter2\r\n");
    await chmod(path, 0o644);
    assert.equal(await resolve(`file:${path}`), "hunter2");
    assert.match(logged.join(), /^\["warn","A file with a secret is open to other users/);
    assert.doesNotMatch(logged.join(), /hunter2/);
  },
);

test("file: refuses what is no small text file", posixOnly, async () => {
  const { resolve } = await machine();
  const big = join(folder, "big");
  await writeFile(big, "x".repeat(65_537));
  const bytes = join(folder, "bytes");
  await writeFile(bytes, new Uint8Array([0xff, 0xfe]));
  const empty = join(folder, "empty");
  await writeFile(empty, "\n");
  await assert.rejects(resolve(`file:${big}`), missing(/more than 65536 bytes, repair the file/));
  await assert.rejects(resolve(`file:${bytes}`), missing(/not UTF-8 text/));
  await assert.rejects(resolve(`file:${empty}`), missing(/is missing/));
  await assert.rejects(resolve(`file:${folder}`), missing(/not a regular file|a folder/));
  await assert.rejects(resolve("file:/dev/null"), missing(/not a regular file/));
  await assert.rejects(resolve(`file:${join(folder, "gone")}`), missing(/no such file/));
});

test("file: gives no file of the runner's own, through no link", posixOnly, async () => {
  const { home, store, resolve } = await machine();
  await store.set("a", "hunter2");
  await mkdir(join(folder, "links"), { recursive: true });
  const link = join(folder, "links", "key");
  await symlink(join(home, "secrets.key"), link);
  for (const path of [join(home, "secrets.key"), link]) {
    await assert.rejects(resolve(`file:${path}`), missing(/a file of mcp-runner's own/));
  }
});

test("exec: runs a program without a shell, and without our key", posixOnly, async () => {
  const { bin, resolve } = await machine({
    programs: { show: 'printf "%s|%s|%s\\n" "$1" "$2" "$MCP_RUNNER_KEY"' },
    env: { MCP_RUNNER_KEY: "hunter2" },
  });
  assert.equal(await resolve(`exec:show $(id) ;${bin}`), `$(id)|;${bin}|`);
});

test(
  "exec: names the exit code, the cap and what is not installed, never the output",
  posixOnly,
  async () => {
    const { logged, resolve } = await machine({
      programs: {
        fails: "echo hunter2; echo hunter2 >&2; exit 4",
        floods: "while :; do echo hunter2hunter2hunter2hunter2; done",
        bytes: "printf '\\377'",
        nul: "printf 'a\\0b'",
        silent: "true",
      },
    });
    await assert.rejects(
      resolve("exec:fails now"),
      missing(/exec:fails now cannot be read: the program ended with 4, run it/),
    );
    await assert.rejects(resolve("exec:floods"), missing(/it printed more than 65536 bytes/));
    await assert.rejects(resolve("exec:bytes"), missing(/not UTF-8/));
    await assert.rejects(resolve("exec:nul"), missing(/NUL character/));
    await assert.rejects(resolve("exec:silent"), missing(/is missing/));
    await assert.rejects(resolve("exec:not-there"), missing(/it is not installed/));
    assert.deepEqual(logged, []);
  },
);

test("op:// asks the program of 1Password", posixOnly, async () => {
  const { bin, resolve } = await machine({
    programs: { op: 'echo "$@" > "$(dirname "$0")/args"; printf "hunter2\\n"' },
  });
  assert.equal(await resolve("op://vault/item/field"), "hunter2\n");
  assert.equal(
    await readFile(join(bin, "args"), "utf8"),
    "read --no-newline op://vault/item/field\n",
  );
  const { resolve: without } = await machine();
  await assert.rejects(without("op://vault/item/field"), missing(/not installed, run: op signin/));
});

test("a text of a catalog is put together from its secrets, each of which the redactor knows", async () => {
  const { redactor, resolve } = await machine({
    env: { USER_NAME: "ada${PASS}", PASSWORD: "hunter2$&" },
  });
  const value = await resolve({
    kind: "text",
    text: "postgres://${NAME}:${PASS}@db/${OTHER}",
    parts: {
      NAME: { kind: "env", name: "USER_NAME" },
      PASS: { kind: "env", name: "PASSWORD" },
    },
  });
  assert.equal(value, "postgres://ada${PASS}:hunter2$&@db/${OTHER}");
  assert.equal(redactor.redact("with hunter2$& in it"), "with [secret PASSWORD] in it");
});

test("a program that does not end is ended, whatever it has started", posixOnly, async () => {
  const { bin } = await machine({ programs: { hangs: "echo hunter2; sleep 30 & wait" } });
  const started = performance.now();
  await assert.rejects(
    runProgram({
      command: join(bin, "hangs"),
      args: [],
      env: { PATH: "/usr/bin:/bin" },
      deadlineMs: 100,
      maxBytes: 100,
    }),
    missing(/^it did not end within 0\.1 seconds$/),
  );
  assert.ok(performance.now() - started < 10_000);
});
