/** A credential helper as people have it: docker-credential-pass, over pass and GnuPG. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openSecretStore } from "../../runner/secrets/store.ts";

const NEEDED = ["docker-credential-pass", "pass", "gpg"];
const absent = NEEDED.filter((name) => !isInstalled(name));
const skip = absent.length > 0 ? `${absent.join(", ")} not installed` : false;
if (skip !== false) console.error(`The test with a real keychain is skipped: ${skip}`);

let folder = "";
let env: Record<string, string> = {};
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcpr-pass-"));
  env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    DOCKER_CONFIG: folder,
    GNUPGHOME: join(folder, "gpg"),
    PASSWORD_STORE_DIR: join(folder, "store"),
  };
  await mkdir(join(folder, "gpg"), { mode: 0o700 });
  await mkdir(join(folder, "home"), { mode: 0o700 });
  await writeFile(join(folder, "config.json"), '{"credsStore":"pass"}');
  if (skip !== false) return;
  const key = ["--batch", "--passphrase", "", "--quick-generate-key", "ada@example.com"];
  run("gpg", ...key, "rsa2048", "encr", "never");
  run("pass", "init", "ada@example.com");
});
after(async () => {
  if (skip === false) run("gpgconf", "--kill", "gpg-agent");
  await rm(folder, { recursive: true, force: true });
});

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { env, stdio: "ignore", timeout: 60_000 });
}

function isInstalled(name: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.some((path) => {
    try {
      execFileSync("test", ["-x", join(path, name)]);
      return true;
    } catch {
      // Not in this folder.
      return false;
    }
  });
}

test("a real keychain keeps, gives and forgets secrets", { skip, timeout: 60_000 }, async () => {
  const home = join(folder, "home");
  const store = openSecretStore({ home, env });
  const value = 'hunter2 "quoted" ✓\nsecond line';
  assert.deepEqual((await store.set("GITHUB_TOKEN", value)).helper, "pass");
  assert.equal(await store.get("GITHUB_TOKEN"), value);
  assert.deepEqual(await readdir(home), ["secrets.json"]);

  await store.set("GITHUB_TOKEN", "changed");
  assert.equal(await openSecretStore({ home, env }).get("GITHUB_TOKEN"), "changed");

  // It cuts line ends: better refused than changed.
  await assert.rejects(store.set("KEY", "line 1\n", "keychain"), {
    message: /docker-credential-pass: it does not keep the value as it is/,
  });
  assert.equal(await store.get("KEY"), undefined);

  // Somebody else may have removed it.
  run("pass", "rm", "-rf", "docker-credential-helpers");
  assert.equal(await store.get("GITHUB_TOKEN"), undefined);
  assert.equal(await store.remove("GITHUB_TOKEN"), true);
  assert.deepEqual(await store.list(), []);
});
