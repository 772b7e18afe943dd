import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  forgetWorker,
  loadCredentials,
  rememberWorker,
  type WorkerCredentials,
} from "../../runner/local/credentials.ts";

const posixOnly = { skip: process.platform === "win32" ? "rights of POSIX" : false };

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-credentials-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** An empty state directory. */
function newHome(): Promise<string> {
  return mkdtemp(join(folder, "home-"));
}

const secret = "s".repeat(43);
const entry: WorkerCredentials = {
  tunnelToken: `mcpr_tunnel_${secret}`,
  tunnel: "default",
  machine: "ada's laptop",
  joinedAt: "2026-11-22T07:42:00.000Z",
};

test("a runner keeps its id from the first use on", async () => {
  const home = await newHome();
  const { runnerId, workers } = await loadCredentials(home);
  assert.match(runnerId, /^[0-9a-f]{8}-/);
  assert.deepEqual(workers, {});
  assert.equal((await loadCredentials(home)).runnerId, runnerId);
});

test("two first uses at the same time agree on the id", async () => {
  const home = await newHome();
  const ids = await Promise.all([1, 2, 3].map(() => loadCredentials(home)));
  assert.equal(new Set(ids.map(({ runnerId }) => runnerId)).size, 1);
});

test("a worker is remembered by its origin, replaced, and forgotten", async () => {
  const home = await newHome();
  const { runnerId } = await loadCredentials(home);
  await rememberWorker(home, "https://edge.example.com/mcp?x=1", entry);
  await rememberWorker(home, "http://127.0.0.1:8787", {
    ...entry,
    clientToken: `mcpr_client_${secret}`,
  });
  assert.deepEqual(await loadCredentials(home), {
    version: 1,
    runnerId,
    workers: {
      "https://edge.example.com": entry,
      "http://127.0.0.1:8787": { ...entry, clientToken: `mcpr_client_${secret}` },
    },
  });

  await rememberWorker(home, "https://edge.example.com", { ...entry, tunnel: "other" });
  assert.equal((await loadCredentials(home)).workers["https://edge.example.com"]?.tunnel, "other");

  assert.equal(await forgetWorker(home, "https://edge.example.com/"), true);
  assert.equal(await forgetWorker(home, "https://edge.example.com/"), false);
  assert.deepEqual(Object.keys((await loadCredentials(home)).workers), ["http://127.0.0.1:8787"]);
});

test("what is no worker's URL is refused", async () => {
  const home = await newHome();
  for (const url of ["edge.example.com", "ftp://edge.example.com", ""]) {
    await assert.rejects(rememberWorker(home, url, entry), { code: "usage" });
    await assert.rejects(forgetWorker(home, url), { code: "usage" });
  }
});

test(
  "the file is readable by its user alone, and no other file stays behind",
  posixOnly,
  async () => {
    const home = await newHome();
    await rememberWorker(home, "https://edge.example.com", entry);
    assert.equal((await stat(join(home, "credentials.json"))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(home), ["credentials.json"]);
  },
);

for (const mode of [0o644, 0o640, 0o604, 0o620]) {
  test(
    `a file of mode ${mode.toString(8)} is refused with the command that repairs it`,
    posixOnly,
    async () => {
      const home = await newHome();
      await rememberWorker(home, "https://edge.example.com", entry);
      const path = join(home, "credentials.json");
      await chmod(path, mode);
      const expected = {
        code: "credentials_unsafe",
        message: `Cannot use ${path}: other users can open it (mode 0${
          mode.toString(8)
        }), run: chmod 600 ${path}`,
      };
      await assert.rejects(loadCredentials(home), expected);
      // Writing would close the file and hide that the tokens were open to others.
      await assert.rejects(rememberWorker(home, "https://other.example.com", entry), expected);
      await chmod(path, 0o600);
      assert.deepEqual(Object.keys((await loadCredentials(home)).workers), [
        "https://edge.example.com",
      ]);
    },
  );
}

const id = "01234567-89ab-4def-8123-456789abcdef";
const damaged: Array<[why: string, content: string, message: RegExp]> = [
  ["an empty file", "", /: the file is not what mcp-runner writes, move the file away and connect/],
  ["half a file", `{"version":1,"runnerId":"${id}","work`, /: the file is not what/],
  ["another version", `{"version":2,"runnerId":"${id}","workers":{}}`, /: version is not what/],
  [
    "a runner id that is none",
    '{"version":1,"runnerId":"me","workers":{}}',
    /: runnerId is not what/,
  ],
  [
    "a token of the wrong kind",
    JSON.stringify({
      version: 1,
      runnerId: id,
      workers: { "https://a": { ...entry, tunnelToken: `mcpr_client_${secret}` } },
    }),
    /: workers\.https:\/\/a\.tunnelToken is not what/,
  ],
  [
    "a URL where an origin belongs",
    JSON.stringify({ version: 1, runnerId: id, workers: { "https://a/mcp": entry } }),
    /: workers\.https:\/\/a\/mcp is not what/,
  ],
  ["a huge file", " ".repeat(1024 * 1024 + 1), /: the file is not what/],
];

for (const [why, content, message] of damaged) {
  test(`${why} is reported without its text, and kept`, async () => {
    const home = await newHome();
    const path = join(home, "credentials.json");
    await writeFile(path, content, { mode: 0o600 });
    const uses = [
      () => loadCredentials(home),
      () => rememberWorker(home, "https://b.example.com", entry),
    ];
    for (const use of uses) {
      const error: unknown = await use().then(() => undefined, (thrown: unknown) => thrown);
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, "config_invalid");
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /ssss/);
    }
    assert.equal(await readFile(path, "utf8"), content);
  });
}

test("twenty entries written at the same time are all there", async () => {
  const home = await newHome();
  const urls = Array.from({ length: 20 }, (_, i) => `https://edge-${i}.example.com`);
  await Promise.all(urls.map((url) => rememberWorker(home, url, entry)));
  assert.deepEqual(Object.keys((await loadCredentials(home)).workers).toSorted(), urls.toSorted());
  assert.deepEqual(await readdir(home), ["credentials.json"]);
});

test("processes do not lose each other's entries", async () => {
  const home = await newHome();
  const module = new URL("../../runner/local/credentials.ts", import.meta.url).href;
  const program = join(folder, "writer.mjs");
  await writeFile(
    program,
    `const { rememberWorker } = await import(${JSON.stringify(module)});
     const [home, who, entry] = process.argv.slice(2);
     for (const i of [0, 1, 2, 3, 4]) {
       await rememberWorker(home, "https://edge-" + who + "-" + i + ".example.com", JSON.parse(entry));
     }`,
  );
  const codes = await Promise.all(["a", "b", "c", "d"].map((who) => run(program, home, who)));
  assert.deepEqual(codes, [0, 0, 0, 0]);
  assert.equal(Object.keys((await loadCredentials(home)).workers).length, 20);
});

test("the lock of a process that was killed is taken over", async () => {
  const home = await newHome();
  const lock = join(home, "credentials.lock");
  await writeFile(lock, "a process that is gone");
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(lock, longAgo, longAgo);
  await rememberWorker(home, "https://edge.example.com", entry);
  assert.deepEqual(await readdir(home), ["credentials.json"]);
});

test("a state directory that is gone is reported with its path", async () => {
  const home = join(folder, "gone");
  await assert.rejects(rememberWorker(home, "https://edge.example.com", entry), {
    code: "store_unavailable",
    message: /^Cannot write .*credentials\.json: the system answers ENOENT, /,
  });
});

/** Runs `program` on this runtime, and resolves with its exit code. */
function run(program: string, home: string, who: string): Promise<number | null> {
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const deno = ["run", "--allow-all", "--no-check", "--config", config];
  const args = process.versions["deno"] === undefined ? [] : deno;
  const child = spawn(process.execPath, [...args, program, home, who, JSON.stringify(entry)], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}
