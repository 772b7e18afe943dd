import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { homeDirectory, type HomeMachine, openHome } from "../../runner/local/home.ts";

const posixOnly = { skip: process.platform === "win32" ? "rights of POSIX" : false };

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-runner-home-"));
});
after(() => rm(folder, { recursive: true, force: true }));

const linux: HomeMachine = { platform: "linux", env: {}, userHome: "/home/ada", cwd: "/folder" };
const mac: HomeMachine = { ...linux, platform: "darwin", userHome: "/Users/ada" };
const windows: HomeMachine = {
  platform: "win32",
  env: {},
  userHome: "C:\\Users\\ada",
  cwd: "C:\\work",
};

const places: Array<[machine: HomeMachine, env: HomeMachine["env"], expected: string]> = [
  [linux, {}, "/home/ada/.local/state/mcp-runner"],
  [linux, { XDG_STATE_HOME: "/state" }, "/state/mcp-runner"],
  [linux, { XDG_STATE_HOME: "state" }, "/home/ada/.local/state/mcp-runner"],
  [linux, { XDG_STATE_HOME: "" }, "/home/ada/.local/state/mcp-runner"],
  [linux, { MCP_RUNNER_HOME: "/srv/runner", XDG_STATE_HOME: "/state" }, "/srv/runner"],
  [linux, { MCP_RUNNER_HOME: "runner" }, "/folder/runner"],
  [mac, { XDG_STATE_HOME: "/state" }, "/Users/ada/Library/Application Support/mcp-runner"],
  [windows, {}, "C:\\Users\\ada\\AppData\\Local\\mcp-runner"],
  [windows, { LOCALAPPDATA: "D:\\data" }, "D:\\data\\mcp-runner"],
  [windows, { MCP_RUNNER_HOME: "runner" }, "C:\\work\\runner"],
];

for (const [machine, env, expected] of places) {
  test(`homeDirectory() is ${expected} on ${machine.platform} with ${JSON.stringify(env)}`, () => {
    assert.equal(homeDirectory({ ...machine, env }), expected);
  });
}

test("homeDirectory() asks for MCP_RUNNER_HOME when the user has no home", () => {
  const machine = { ...linux, userHome: "" };
  assert.throws(() => homeDirectory(machine), { code: "usage", message: /set MCP_RUNNER_HOME$/ });
  assert.equal(homeDirectory({ ...machine, env: { MCP_RUNNER_HOME: "/srv" } }), "/srv");
});

test("openHome() makes a directory that is open to its user alone", posixOnly, async () => {
  const home = join(folder, "new", "state");
  assert.equal(await openHome(home), home);
  assert.equal((await stat(home)).mode & 0o777, 0o700);
  assert.equal(await openHome(home), home);
});

for (const mode of [0o755, 0o710, 0o701, 0o770]) {
  const name = mode.toString(8);
  test(`openHome() refuses mode ${name} with the command that repairs it`, posixOnly, async () => {
    const home = join(folder, `it's ${name}`);
    await mkdir(home);
    await chmod(home, mode);
    const quoted = `'${home.replaceAll("'", "'\\''")}'`;
    await assert.rejects(openHome(home), {
      code: "credentials_unsafe",
      message:
        `Cannot use ${home}: other users can open it (mode 0${name}), run: chmod 700 ${quoted}`,
    });
  });
}

test("openHome() says what is in the way", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  for (const path of [file, join(file, "state")]) {
    await assert.rejects(openHome(path), {
      code: "usage",
      message:
        /^Cannot make the directory .*: a file is in its place, set MCP_RUNNER_HOME to another$/,
    });
  }
});
