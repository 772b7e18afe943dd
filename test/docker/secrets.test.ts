/**
 * Secrets reach the server, and nobody finds them where the engine or the system keeps what it knows.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { HandedSecrets } from "../../runner/docker/create.ts";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { reap } from "../../runner/docker/reaper.ts";
import { makeSecretFolder } from "../../runner/docker/secret-folder.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { aboutEngine, linesOf, probe, useEngine, withImage } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 120_000 }, run);

const VALUE = `s3cr3t-${randomUUID()}`;

const handed = (variables: Record<string, string>, files: Record<string, string> = {}) => ({
  variables: new Map(Object.entries(variables)),
  files: new Map(Object.entries(files)),
  mayUseEnvironment: false,
});

const SHOWS = `
  const of = (name) => ({ text: fs.readFileSync(process.env[name], "utf8"), path: process.env[name] });
  print({ token: process.env.TOKEN, file: of("CERT") });
`;

/** Every place where somebody with the engine or the machine could look; those that show `value`. */
async function leaks(id: string, value: string): Promise<string[]> {
  const container = docker.engine.docker.getContainer(id);
  const places: Record<string, string> = {
    inspect: JSON.stringify(await container.inspect()),
    list: JSON.stringify(await docker.engine.docker.listContainers({ all: true })),
    top: JSON.stringify(await container.top({ ps_args: "-eo pid,args" })),
    ps: execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }),
    "engine's files": filesOf((await aboutEngine(docker.engine)).DockerRootDir, id),
    "/dev/shm": filesOf("/dev/shm", ""),
  };
  return Object.entries(places).filter(([, text]) => text.includes(value)).map(([name]) => name);
}

function filesOf(root: string, id: string): string {
  const folder = id === "" ? root : join(root, "containers", id);
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => join(folder, name))
      .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
      .map((path) => readFileSync(path, "utf8")).join("\n");
  } catch {
    // Only root of the engine's machine may look.
    return "";
  }
}

/** An image without a shell, in which `then` has run. */
async function withoutShell(use: (image: string) => Promise<void>, then = ""): Promise<void> {
  const { image } = await ensureBaseImage(docker.engine, () => {});
  const dockerfile = [
    `FROM ${image}`,
    "USER 0",
    `RUN ["/usr/bin/node", "-e", "fs.rmSync('/bin/sh'); ${then}"]`,
    "USER 65532",
  ];
  await withImage(docker.engine, dockerfile, use);
}

story("files reach a server without a shell whatever the umask of this process is", async () => {
  await withoutShell(async (image) => {
    const before = process.umask(0o077);
    try {
      const script = `print(fs.readFileSync(process.env.CERT, "utf8"))`;
      assert.equal(await probe(docker, script, { image, secrets: handed({}, { CERT: "x" }) }), "x");
    } finally {
      process.umask(before);
    }
  });
});

story("variables and files reach the server exactly, whatever is in them", async () => {
  let every = "";
  for (let code = 1; code < 0x3000; code++) every += String.fromCharCode(code);
  every += "\\0101 %s $(id) `id` 'x' \"y\" 🌍\r\n.\n\n";
  const found = await probe(docker, SHOWS, { secrets: handed({ TOKEN: every }, { CERT: every }) });
  assert.deepEqual(found, {
    token: every,
    file: { text: every, path: "/run/secrets/mcp-runner/CERT" },
  });
});

story("nothing that the shim needs is in the server's environment", async () => {
  const found = await probe(
    docker,
    `print(Object.keys(process.env).filter((name) => !/^(PATH|HOME|HOSTNAME|PWD|SHLVL|_)$/.test(name)).sort())`,
    {
      secrets: handed({ TOKEN: VALUE }, { CERT: VALUE }),
      env: { GREETING: "hello" },
    },
  );
  assert.deepEqual(found, ["CERT", "GREETING", "TOKEN"]);
});

story(
  "the first message behind the secrets is not lost, and the server is the same process",
  async () => {
    const container = await docker.runScript(
      `process.stdin.on("data", (chunk) => process.stdout.write(process.env.TOKEN.length + " " + chunk))`,
      { secrets: handed({ TOKEN: VALUE }) },
    );
    container.write('{"jsonrpc":"2.0","id":1}');
    const next = linesOf((listener) => container.onLine(listener));
    assert.equal(await next(), `${VALUE.length} {"jsonrpc":"2.0","id":1}`);
    await container.stop(5_000);
    assert.deepEqual(await container.exited, { code: 0, oomKilled: false, reason: "closed" });
  },
);

story(
  "no value is in the engine's records, on the disk, or among the arguments of a process",
  async () => {
    const container = await docker.runScript(
      `console.log(process.env.TOKEN.length + require("fs").readFileSync(process.env.CERT).length);
     process.stdin.resume()`,
      { secrets: handed({ TOKEN: VALUE }, { CERT: VALUE }) },
    );
    await linesOf((listener) => container.onLine(listener))();
    assert.deepEqual(await leaks(container.id, VALUE), []);
    await container.stop(0);
  },
);

story("a value in the environment would be found, so that the search is one", async () => {
  const container = await docker.runScript(`console.log(1); process.stdin.resume()`, {
    env: { TOKEN: VALUE },
  });
  await linesOf((listener) => container.onLine(listener))();
  assert.ok((await leaks(container.id, VALUE)).includes("inspect"));
  await container.stop(0);
});

story("another server and another user of the container's machine see no file of it", async () => {
  const found = await probe(
    docker,
    `const { mode, uid } = fs.statSync(process.env.CERT); print({ mode: mode & 0o777, uid })`,
    { secrets: handed({}, { CERT: VALUE }) },
  );
  assert.deepEqual(found, { mode: 0o600, uid: 65532 });
});

const forms: [why: string, lines: string[], command: string[], said: string][] = [
  ["an entry point of words", [`ENTRYPOINT ["/usr/bin/node", "-p"]`], ["process.env.TOKEN"], VALUE],
  [
    "arguments alone",
    ["ENTRYPOINT []", `CMD ["/usr/bin/node", "-p", "process.env.TOKEN"]`],
    [],
    VALUE,
  ],
  ["an entry point in a line for the shell", ["ENTRYPOINT echo $TOKEN"], [], VALUE],
  ["a name to be looked up", [`ENTRYPOINT ["node", "-p"]`], ["process.env.TOKEN"], VALUE],
];
for (const [why, lines, command, said] of forms) {
  story(`an image with ${why} is started as it would be without secrets`, async () => {
    const { image } = await ensureBaseImage(docker.engine, () => {});
    await withImage(
      docker.engine,
      [`FROM ${image}`, "ENV PATH=/usr/bin:/bin", ...lines],
      async (id) => {
        const spec = { image: id, command, secrets: handed({ TOKEN: VALUE }) };
        const container = await docker.runScript("", spec);
        assert.equal(await linesOf((listener) => container.onLine(listener))(), said);
        await container.stop(0);
      },
    );
  });
}

story("a server that starts again without the init gets its secrets again", async () => {
  const script = `
    if (process.pid === 1) console.log(process.env.TOKEN), process.stdin.resume();
    else {
      console.error("/sbin/docker-init: /lib/libc.so.6: version 'GLIBC_2.38' not found");
      process.exitCode = 127;
    }
  `;
  const { image } = await ensureBaseImage(docker.engine, () => {});
  await withImage(docker.engine, [`FROM ${image}`, "LABEL test=secret-init"], async (id) => {
    const container = await docker.runScript(script, {
      image: id,
      secrets: handed({ TOKEN: VALUE }),
    });
    assert.equal(await linesOf((listener) => container.onLine(listener))(), VALUE);
    await container.stop(0);
  });
});

story(
  "without a shell, files come from a folder in memory that is gone with the server",
  async () => {
    await withoutShell(async (image) => {
      const container = await docker.runScript(
        `const fs = require("fs"), path = process.env.CERT;
       let code = ""; try { fs.writeFileSync(path, "x") } catch (error) { code = error.code }
       console.log(JSON.stringify([path, fs.readFileSync(path, "utf8"), code])); process.stdin.resume()`,
        { image, secrets: handed({}, { CERT: VALUE }) },
      );
      const [line] = [await linesOf((listener) => container.onLine(listener))()];
      assert.deepEqual(JSON.parse(line ?? ""), ["/run/secrets/mcp-runner/CERT", VALUE, "EROFS"]);
      const folders = () => readdirSync("/dev/shm").filter((name) => name.includes(docker.owner));
      const [folder = ""] = folders();
      assert.equal(statSync(join("/dev/shm", folder)).mode & 0o777, 0o700);
      assert.deepEqual(await leaks(container.id, VALUE), ["/dev/shm"]);
      await container.stop(2_000);
      assert.deepEqual(folders(), []);
    });
  },
);

story("without a shell, variables need allowEnvSecrets, and the error names it", async () => {
  await withoutShell(async (image) => {
    const secrets = handed({ TOKEN: VALUE }, { CERT: VALUE });
    await assert.rejects(docker.runScript(SHOWS, { image, secrets }), (error: Error) => {
      assert.match(
        error.message,
        /hand over TOKEN: there is no \/bin\/sh .* allowEnvSecrets: true/,
      );
      assert.ok(!error.message.includes(VALUE));
      return true;
    });
    assert.deepEqual(
      await probe(docker, SHOWS, {
        image,
        secrets: { ...secrets, mayUseEnvironment: true } satisfies HandedSecrets,
      }),
      { token: VALUE, file: { text: VALUE, path: "/run/secrets/mcp-runner/CERT" } },
    );
  });
});

story("a shell that is a link to nothing is none", async () => {
  await withoutShell(async (image) => {
    const spec = { image, secrets: handed({ TOKEN: VALUE }) };
    await assert.rejects(docker.runScript(SHOWS, spec), { message: /there is no \/bin\/sh/ });
  }, "fs.symlinkSync('/bin/busybox', '/bin/sh')");
});

story("a killed runner's folder with secrets is reaped, a living one's is not", async () => {
  const dead = randomUUID();
  const alive = randomUUID();
  const files = new Map([["CERT", VALUE]]);
  const mine = await makeSecretFolder(alive, files);
  after(mine.release);
  await makeSecretFolder(dead, files);
  const owners = { isAlive: async (owner: string) => owner !== dead };
  assert.equal((await reap(docker.engine, owners)).folders, 1);
  assert.equal(readdirSync("/dev/shm").filter((name) => name.includes(dead)).length, 0);
  assert.equal(readFileSync(join(mine.path, "CERT"), "utf8"), VALUE);
  assert.equal((await reap(docker.engine, owners)).folders, 0);
});

story("secrets that cannot be handed over start nothing", async () => {
  const labels = { [OWNER_LABEL]: docker.owner };
  await assert.rejects(docker.runScript("", { labels, secrets: handed({ "A-B": VALUE }) }), {
    code: "config_invalid",
  });
});
