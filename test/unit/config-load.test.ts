import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../runner/config/config.ts";
import { isAllowed } from "../../src/policy/allowlist.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-config-"));
});
after(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const examples = fileURLToPath(new URL("../../docs/examples/", import.meta.url));

test("loadConfig() reads every example of the documentation", async () => {
  for (const name of await readdir(examples, { recursive: true })) {
    if (!name.endsWith(".yaml")) continue;
    const { path, servers } = await loadConfig(join(examples, name));
    assert.equal(path, join(examples, name));
    assert.notEqual(servers.length, 0);
    for (const { tools } of servers) assert.notEqual(tools.allow.length, 0);
  }
});

test("the first example allows everything but get-env", async () => {
  const { servers: [everything] } = await loadConfig(join(examples, "everything.yaml"));
  assert.equal(everything?.name, "everything");
  assert.deepEqual(everything.args, ["stdio"]);
  assert.equal(isAllowed(everything.tools, "echo"), true);
  assert.equal(isAllowed(everything.tools, "get-env"), false);
});

test("docs/config.md shows a configuration, and the problems of a faulty one", async () => {
  const page = await readFile(new URL("../../docs/config.md", import.meta.url), "utf8");
  const [good = "", faulty = "", message = ""] = Array.from(
    page.matchAll(/```(?:yaml)?\n([^`]*)```/g),
    ([, text]) => text,
  );
  const { servers } = await loadConfig(await file("good.yaml", good));
  assert.deepEqual(servers.map(({ name }) => name), ["everything", "notes", "github", "team"]);

  const path = await file("faulty.yaml", faulty);
  await assert.rejects(loadConfig(path), {
    message: message.trim().replaceAll("mcp-runner.yaml", path),
  });
});

if (process.platform !== "win32") {
  test("loadConfig() refuses a file that every user may write", async () => {
    const path = await file("open.yaml", "version: 1\nservers: {}\n");
    await chmod(path, 0o666);
    await assert.rejects(loadConfig(path), {
      code: "config_invalid",
      message:
        `Cannot read ${path}: every user of this machine may change it, run "chmod o-w ${path}"`,
    });
    await chmod(path, 0o664);
    assert.deepEqual((await loadConfig(path)).servers, []);
  });
}

test("loadConfig() accepts a byte order mark", async () => {
  const path = await file("bom.yaml", "\uFEFFversion: 2\nservers: {}\n");
  await assert.rejects(loadConfig(path), { message: /bom\.yaml:1:10 version: "2" is not/ });
});

test("loadConfig() says how to make a file that is missing", async () => {
  await assert.rejects(loadConfig(join(folder, "missing.yaml")), {
    code: "config_invalid",
    message:
      /missing\.yaml: there is no such file, make one with "mcp-runner add <source>", for example "mcp-runner add npm:\S+ -- stdio"$/,
  });
});

test("the lines that it says are a configuration", async () => {
  const empty = await file("empty.yaml", "");
  const error: unknown = await loadConfig(empty).catch((it: unknown) => it);
  assert.ok(error instanceof Error);
  const lines = error.message.split("\n").slice(1).join("\n");
  const { servers } = await loadConfig(await file("made.yaml", lines));
  assert.deepEqual(servers.map(({ name }) => name), ["everything"]);
});

// Nothing is closed to root, and Windows keeps such rights elsewhere.
if (process.platform !== "win32" && userInfo().uid !== 0) {
  test("loadConfig() says when this user may not read the file", async () => {
    const path = await file("closed.yaml", "version: 1");
    await chmod(path, 0);
    await assert.rejects(loadConfig(path), { message: /this user may not read it/ });
  });
}

test("loadConfig() refuses what is not a text file of reasonable size", async () => {
  const cases: Array<[path: string, message: RegExp]> = [
    [folder, /^Cannot read .*: it is a folder, name the file in it$/],
    [
      await file("large.yaml", "#".repeat(1024 * 1024 + 1)),
      /it has 1048577 bytes, at most 1048576/,
    ],
    [
      await file("latin.yaml", Uint8Array.of(0x61, 0x3a, 0x20, 0xe9)),
      /it is not UTF-8, save it as/,
    ],
    [join(await file("plain", "x"), "below.yaml"), /: the system answers ENOTDIR$/],
    ["bad\0name", /^Cannot read bad\\x00name: /],
  ];
  for (const [path, message] of cases) {
    await assert.rejects(loadConfig(path), {
      name: "GatewayError",
      code: "config_invalid",
      message,
    });
  }
});
