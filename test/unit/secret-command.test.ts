import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createHelperMachine } from "../support/credential-helper.ts";

const MAIN = fileURLToPath(new URL("../../runner/main.ts", import.meta.url));
const skip = {
  skip: process.platform === "win32"
    ? "programs of POSIX"
    : process.versions["deno"] !== undefined
    ? "the program runs on Node"
    : false,
};

const CONFIG = `version: 1
servers:
  github:
    source: image:ghcr.io/ada/github:1
    secrets: { GITHUB_TOKEN: "store:GITHUB_TOKEN", OTHER: "env:OTHER" }
    secretFiles: { KEY_FILE: "store:deploy.key" }
  notes:
    source: image:ghcr.io/ada/notes:1
    secrets: { TOKEN: "store:GITHUB_TOKEN" }
`;

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-secret-"));
  await writeFile(join(folder, "mcp-runner.yaml"), CONFIG);
});
after(() => rm(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user who runs `mcp-runner secret …`, with something on stdin. */
async function user() {
  const { home, env, kept } = await createHelperMachine(folder);
  const run = (args: readonly string[], input = "", cwd = folder): Promise<Ran> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [MAIN, "secret", ...args], {
        cwd,
        env: { ...env, MCP_RUNNER_HOME: home },
      });
      const ran = { stdout: "", stderr: "" };
      child.stdout.setEncoding("utf8").on("data", (text: string) => ran.stdout += text);
      child.stderr.setEncoding("utf8").on("data", (text: string) => ran.stderr += text);
      child.on("error", reject).on("close", (code) => resolve({ code, ...ran }));
      child.stdin.on("error", () => {}).end(input);
    });
  return { home, kept, run };
}

test("set reads stdin, ls says where it is and who uses it, rm forgets it", skip, async () => {
  const { home, kept, run } = await user();
  const set = await run(["set", "GITHUB_TOKEN"], "hunter2secret\n");
  assert.equal(set.code, 0, set.stderr);
  assert.equal(set.stdout, "");
  assert.match(set.stderr, /^Kept GITHUB_TOKEN in keychain \(docker-credential-folder\)/);
  assert.match(await kept(), /"hunter2secret"/);
  assert.equal((await run(["set", "spare", "--store", "file"], "hunter2secret")).code, 0);

  const { stdout } = await run(["ls"]);
  assert.match(
    stdout,
    /^GITHUB_TOKEN {2}keychain \(\S+\) {2}\d{4}-\d\d-\d\d {2}used by github, notes$/m,
  );
  assert.match(stdout, /^spare {2}encrypted file {2}\S+$/m);
  assert.match(
    stdout,
    /^deploy\.key {2}missing, needed by github: run mcp-runner secret set deploy\.key$/m,
  );
  const json = JSON.parse((await run(["ls", "--json"])).stdout) as {
    secrets: { name: string; servers: string[] }[];
    missing: unknown;
  };
  assert.deepEqual(json.secrets.map(({ name, servers }) => [name, servers]), [
    ["GITHUB_TOKEN", ["github", "notes"]],
    ["spare", []],
  ]);
  assert.deepEqual(json.missing, [{ name: "deploy.key", servers: ["github"] }]);
  assert.doesNotMatch(stdout + JSON.stringify(json), /hunter2/);

  const removed = await run(["rm", "GITHUB_TOKEN", "spare", "--json"]);
  assert.deepEqual(JSON.parse(removed.stdout), { ok: true, removed: ["GITHUB_TOKEN", "spare"] });
  assert.doesNotMatch(await kept(), /hunter2/);
  assert.doesNotMatch(await readFile(join(home, "secrets.enc"), "utf8"), /spare/);
  const again = await run(["rm", "spare"]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /There is no secret spare/);
});

test("a value as an argument is refused, not kept and not repeated", skip, async () => {
  const { run } = await user();
  for (const args of [["set", "TOKEN", "hunter2secret"], ["set", "TOKEN=hunter2secret"]]) {
    const { code, stdout, stderr } = await run(args, "other");
    assert.equal(code, 2);
    assert.match(stderr, /takes no value as an argument.*Delete it from the history/s);
    assert.doesNotMatch(stdout + stderr, /hunter2/);
  }
  assert.equal((await run(["ls"], "", tmpdir())).stderr, "No secrets\n");
});

test("what cannot be kept is refused", skip, async () => {
  const { run } = await user();
  const refused: readonly (readonly [args: string[], input: string, message: RegExp])[] = [
    [["set", "TOKEN"], "", /it is empty/],
    [["set", "TOKEN"], "\n", /it is empty/],
    [["set", "*"], "value", /no patterns/],
    [["set", "TOKEN", "--store", "hunter2"], "value", /--store must be file or keychain/],
    [["set"], "value", /needs a name/],
    [["rm"], "", /needs a name/],
    [["rm", "*"], "", /no patterns/],
    [[], "", /needs set, ls or rm/],
  ];
  for (const [args, input, message] of refused) {
    const { code, stderr } = await run(args, input);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /hunter2/);
  }
});

test("one line end is cut, and no more", skip, async () => {
  const { kept, run } = await user();
  await run(["set", "KEY"], "line 1\nline 2\n\n");
  assert.match(await kept(), /"Secret":"line 1\\nline 2\\n"/);
});
