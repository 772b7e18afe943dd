/**
 * The runner where the machine has next to nothing left: few open files, full disks, a read-only home,
 * no home at all. Real processes and real file systems; a server at a URL, so that no engine is needed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, realpath, rm, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { built, NODE, type Program, startProgram } from "../support/program.ts";

/** Whether this user may mount file systems. */
const mounts = process.platform === "linux" && process.getuid?.() === 0;
const skip = mounts ? false : "needs to mount a file system";
const unix = process.platform === "win32" ? "needs a POSIX shell" : false;

let folder: string;
const mounted: string[] = [];

before(async () => {
  folder = await realpath(await mkdtemp("/tmp/mcp-runner-scarce-"));
  await writeFile(
    join(folder, "mcp-runner.yaml"),
    'version: 1\nservers:\n  far: { source: "http://127.0.0.1:9/mcp" }\n',
  );
});
after(async () => {
  for (const path of mounted) asRoot("umount", path);
  await rm(folder, { recursive: true, force: true });
});

function asRoot(command: string, ...args: readonly string[]): void {
  execFileSync(command, args);
}

/** A file system of its own with these options, full if wanted. */
async function disk(name: string, options: string, full = false): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  asRoot("mount", "-t", "tmpfs", "-o", `mode=700,${options}`, "tmpfs", path);
  mounted.push(path);
  if (full) await assert.rejects(writeFile(join(path, "fill"), new Uint8Array(4 * 1024 * 1024)));
  return path;
}

function start(home: string, args: readonly string[], env: Record<string, string> = {}): Program {
  return startProgram(NODE, [built("runner.js"), ...args], {
    cwd: folder,
    env: { ...env, MCP_RUNNER_HOME: home },
  });
}

/** Checks that the program ends by itself, and says in one line what is the matter. */
async function refuses(program: Program, says: RegExp): Promise<void> {
  const code = await program.exit;
  assert.ok(code === 1 || code === 2, `${code}\n${program.output()}`);
  assert.match(program.output(), says);
  assert.doesNotMatch(program.output(), /^ +at .*:\d+\)?$/m, "no stack");
  assert.doesNotMatch(program.output(), /internal error/);
}

for (const command of [["up", "--port", "0"], ["connect", "http://127.0.0.1:9", "--code", "x"]]) {
  test(`${command[0]} says so where the disk of its state is full`, { skip }, async () => {
    const home = await disk(`full-${command[0]}`, "size=64k", true);
    await refuses(start(home, command), /ENOSPC|no space|Cannot (?:write|reach)/i);
  });
}

for (const command of [["up", "--port", "0"], ["inspect"], ["tools", "ls"]]) {
  test(`${command.join(" ")} says so where its state cannot be written`, { skip }, async () => {
    const home = await disk(`read-only-${command[0]}`, "ro");
    await refuses(start(home, command), /EROFS.*set MCP_RUNNER_HOME/);
  });
}

test("a disk of its state that fills up later ends nothing", { skip }, async () => {
  const home = await disk("fills-up", "size=4m");
  await using program = start(home, ["up", "--port", "0", "--json"]);
  await program.printed(/"ok":true/, 30_000);
  await writeFile(join(home, "fill"), new Uint8Array(4 * 1024 * 1024)).catch(() => {});
  const [, origin = "", token = ""] =
    /"url":"(http[^"]*)\/mcp","token":"([^"]*)"/.exec(program.stdout()) ?? [];
  const list = async () => {
    const response = await fetch(`${origin}/mcp`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/list",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/list",
        params: {
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      }),
    });
    return response.status;
  };
  for (let n = 0; n < 5; n++) assert.equal(await list(), 200);
  assert.equal(program.process.exitCode, null);
  assert.equal(await program.stop(), 0, program.output());
});

test("up starts where the folder for temporary files is full", { skip }, async () => {
  const tmp = await disk("tmp", "size=16k", true);
  await using program = start(join(folder, "with-full-tmp"), ["up", "--port", "0", "--json"], {
    TMPDIR: tmp,
  });
  await program.printed(/"ok":true/, 30_000);
});

test("up says what to do where the user has no home", { skip }, async () => {
  // A user without an entry in the list of users, who can read what it runs.
  const program = join(folder, "program");
  await cp(dirname(built("runner.js")), program, { recursive: true });
  await cp(NODE, join(program, "node"));
  await chmod(folder, 0o755);
  const env = Object.entries(process.env).filter(([name]) => !/HOME|^XDG_/.test(name));
  const args = ["--reuid=54321", "--regid=54321", "--clear-groups"];
  const command = [join(program, "node"), join(program, "runner.js"), "up", "--port", "0"];
  const withoutUser = "setpriv";
  let text = "";
  try {
    execFileSync(withoutUser, [...args, ...command], {
      cwd: folder,
      env: Object.fromEntries(env),
      encoding: "utf8",
      stdio: "pipe",
      timeout: 30_000,
    });
    assert.fail("It started");
  } catch (thrown) {
    const { status, stderr } = thrown as { readonly status?: number; readonly stderr?: string };
    assert.equal(status, 2, String(thrown));
    text = stderr ?? "";
  }
  assert.match(text, /this user has no home, set MCP_RUNNER_HOME/);
});

test("with 256 open files a flood of connections ends nothing, and calls go on after it", {
  skip: unix,
}, async () => {
  const home = join(folder, "few-files");
  const command = `ulimit -n 256; exec "$0" "$@"`;
  await using program = startProgram(
    "sh",
    ["-c", command, NODE, built("runner.js"), "up", "--port", "0", "--json"],
    { cwd: folder, env: { MCP_RUNNER_HOME: home } },
  );
  await program.printed(/"ok":true/, 30_000);
  const port = Number(/"url":"http:\/\/127\.0\.0\.1:(\d+)/.exec(program.stdout())?.[1]);
  const sockets: Socket[] = [];
  for (let n = 0; n < 400; n++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
  }
  await Promise.all(sockets.map((socket) =>
    new Promise((resolve) => {
      socket.once("connect", resolve);
      socket.once("close", resolve);
    })
  ));
  assert.equal(program.process.exitCode, null, program.output());
  for (const socket of sockets) socket.destroy();
  await eventually("it answers", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/mcp`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 401 || undefined;
  });
  assert.ok((await stat(home)).isDirectory());
});
