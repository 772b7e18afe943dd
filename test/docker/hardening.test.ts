import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ContainerSpec } from "../../runner/docker/container.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { linesOf, probe as probeIn, useEngine, withImage } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 120_000 }, run);

const MIB = 1024 ** 2;
const folder = await mkdtemp(join(tmpdir(), "mcp-runner-bind-"));
after(() => rm(folder, { recursive: true }));

const probe = (script: string, overrides?: Partial<ContainerSpec>) =>
  probeIn(docker, script, overrides);

story(
  "a server runs as nobody, without capabilities, without new privileges, under seccomp",
  async () => {
    const found = await probe(`
    const status = fs.readFileSync("/proc/self/status", "utf8");
    const of = (name) => status.match(new RegExp("^" + name + ":\\\\s+(\\\\S+)", "m"))[1];
    print({
      uid: process.getuid(), gid: process.getgid(), home: os.homedir(),
      effective: of("CapEff"), bounding: of("CapBnd"), inheritable: of("CapInh"),
      noNewPrivileges: of("NoNewPrivs"), seccomp: of("Seccomp"),
    });
  `);
    assert.deepEqual(found, {
      uid: 65532,
      gid: 65532,
      home: "/tmp",
      effective: "0000000000000000",
      bounding: "0000000000000000",
      inheritable: "0000000000000000",
      noNewPrivileges: "1",
      seccomp: "2",
    });
  },
);

story("a server can write to its scratch folder and nowhere else", async () => {
  const found = await probe(`
    const paths = ["/x", "/etc/x", "/usr/bin/x", "/var/x", "/home/x", "/root/x", "/proc/sys/kernel/hostname"];
    print({
      elsewhere: paths.map((path) => codeOf(() => fs.writeFileSync(path, "x"))).filter((code) => code === "done"),
      scratch: codeOf(() => fs.writeFileSync("/tmp/x", "x")),
    });
  `);
  assert.deepEqual(found, { elsewhere: [], scratch: "done" });
});

story("the scratch folder runs no programs and ends at 64 MiB", async () => {
  const found = await probe(`
    fs.copyFileSync("/bin/sh", "/tmp/sh");
    fs.chmodSync("/tmp/sh", 0o755);
    const ran = codeOf(() => execFileSync("/tmp/sh", ["-c", "true"]));
    const file = fs.openSync("/tmp/full", "w");
    let written = 0;
    const block = Buffer.alloc(${MIB});
    const full = codeOf(() => { for (;;) written += fs.writeSync(file, block); });
    print({ ran, full, within: written <= 64 * ${MIB} });
  `);
  assert.deepEqual(found, { ran: "EACCES", full: "ENOSPC", within: true });
});

story("a server has no network but its own loopback", async () => {
  const found = await probe(`
    const reach = (host) => new Promise((resolve) => {
      const socket = net.connect({ host, port: 80, timeout: 3000 });
      socket.on("connect", () => resolve("connected")).on("timeout", () => resolve("timeout"));
      socket.on("error", (error) => resolve(error.code));
    });
    const links = fs.readFileSync("/proc/net/dev", "utf8").split("\\n").slice(2)
      .map((line) => line.split(":")[0].trim()).filter(Boolean);
    Promise.all(["169.254.169.254", "172.17.0.1", "1.1.1.1"].map(reach))
      .then((reached) => print({ links: links.filter((name) => name !== "lo"), reached }));
  `);
  const unreachable = "ENETUNREACH";
  // The kernel may add links of its own that lead nowhere, so what counts is that nothing is reached.
  assert.partialDeepStrictEqual(found, { reached: [unreachable, unreachable, unreachable] });
});

story("a server cannot start more processes than its limit", async () => {
  const found = await probe(
    `
    const children = [];
    (function more() {
      const child = spawn("/bin/sh", ["-c", "read line"]);
      child.on("error", (error) => print({ code: error.code, few: children.length < 40 }));
      child.on("spawn", () => { children.push(child); more(); });
    })();
  `,
    { limits: { memoryBytes: 256 * MIB, cpuCores: 1, pids: 40 } },
  );
  assert.deepEqual(found, { code: "EAGAIN", few: true });
});

story("a server has no engine socket, few files, no core dumps, and an init above it", async () => {
  const found = await probe(`
    const limits = fs.readFileSync("/proc/self/limits", "utf8");
    const of = (name) => limits.match(new RegExp("^" + name + "\\\\s+(\\\\d+)\\\\s+(\\\\d+)", "m")).slice(1);
    print({
      socket: fs.existsSync("/var/run/docker.sock") || fs.existsSync("/run/docker.sock"),
      files: of("Max open files")[1], core: of("Max core file size"), first: process.pid === 1,
    });
  `);
  assert.deepEqual(found, { socket: false, files: "4096", core: ["0", "0"], first: false });
});

story("the engine keeps no copy of what a server writes", async () => {
  const container = await docker.runScript(`console.log("private"); setInterval(() => {}, 1000)`);
  await linesOf((listener) => container.onLine(listener))();
  const facts = await docker.engine.docker.getContainer(container.id).inspect();
  assert.equal(facts.HostConfig.LogConfig?.Type, "none");
  assert.equal(facts.LogPath, "");
  await container.stop(0);
});

story(
  "environment and volumes of the configuration reach the server, read-only where it says so",
  async () => {
    await writeFile(join(folder, "note"), "hello");
    await chmod(folder, 0o755);
    const found = await probe(
      `print({
      env: process.env.GREETING,
      read: fs.readFileSync("/data/note", "utf8"),
      write: codeOf(() => fs.writeFileSync("/data/note", "changed")),
    })`,
      {
        env: { GREETING: 'quote " and $dollar' },
        volumes: [{ hostPath: folder, containerPath: "/data", readOnly: true }],
      },
    );
    assert.deepEqual(found, { env: 'quote " and $dollar', read: "hello", write: "EROFS" });
  },
);

const socketPath = docker.engine.socketPath;
const refusedPaths: [why: string, path: () => Promise<string>][] = [
  ["the root", async () => "/"],
  ["a system folder", async () => "/etc"],
  ["the home folder with its keys", async () => homedir()],
  [
    "the folder of the engine's socket",
    async () => join(socketPath ?? "/var/run/docker.sock", ".."),
  ],
  ["a device", async () => "/dev/null"],
  ["a folder that is not there", async () => join(folder, "missing")],
  ["a symlink to a system folder", async () => {
    await symlink("/etc", join(folder, "innocent"));
    return join(folder, "innocent");
  }],
];
for (const [why, path] of refusedPaths) {
  story(`startContainer() refuses to mount ${why}`, async () => {
    const hostPath = await path();
    const volumes = [{ hostPath, containerPath: "/data", readOnly: true }];
    await assert.rejects(docker.runScript("", { volumes }), {
      name: "GatewayError",
      code: "config_invalid",
      message: /^Cannot mount "/,
    });
  });
}

for (const path of ["/state", "/state/", "//state/./"]) {
  story(`a volume ${path} that the image declares is a scratch folder in memory`, async () => {
    const { image } = await ensureBaseImage(docker.engine, () => {});
    await withImage(docker.engine, [`FROM ${image}`, `VOLUME ["${path}"]`], async (id) => {
      const found = await probe(
        `
      const mounts = fs.readFileSync("/proc/mounts", "utf8").split("\\n");
      print({
        kind: mounts.filter((line) => line.split(" ")[1] === "/state").at(-1).split(" ")[2],
        write: codeOf(() => fs.writeFileSync("/state/x", "x")),
      });
    `,
        { image: id },
      );
      assert.deepEqual(found, { kind: "tmpfs", write: "done" });
    });
  });
}

const users: [user: string, uid: number][] = [
  ["1234:1234", 1234],
  ["0", 65532],
  ["root", 65532],
  // "node" is 65532 in one base image and 1000 in the other; "admin" is a name for root made here.
  ["admin", 65532],
  ["nobody-knows", 65532],
];
for (const [user, uid] of users) {
  story(`a server of an image with USER ${user} runs as ${uid}`, async () => {
    const { image } = await ensureBaseImage(docker.engine, () => {});
    const dockerfile = [
      `FROM ${image}`,
      "USER 0",
      `RUN ["/bin/sh", "-c", "echo admin:x:0:0::/:/bin/sh >> /etc/passwd"]`,
      `USER ${user}`,
    ];
    await withImage(docker.engine, dockerfile, async (id) => {
      assert.equal(await probe("print(process.getuid())", { image: id }), uid);
    });
  });
}

story("an account that the engine reads in another way than we do makes nobody root", async () => {
  const { image } = await ensureBaseImage(docker.engine, () => {});
  const lines = [" app:x:0:0::/:/bin/sh", "app:x:1234:1234::/:/bin/sh"];
  const dockerfile = [
    `FROM ${image}`,
    "USER 0",
    ...lines.map((line) => `RUN ["/bin/sh", "-c", "echo '${line}' >> /etc/passwd"]`),
    "USER app",
  ];
  await withImage(docker.engine, dockerfile, async (id) => {
    assert.equal(await probe("print(process.getuid())", { image: id }), 1234);
  });
});

story("a server starts without the engine's init where that cannot run", async () => {
  const { image } = await ensureBaseImage(docker.engine, () => {});
  // The engine mounts its init below /sbin, which is a file here.
  const dockerfile = [`FROM ${image}`, "USER 0", "COPY Dockerfile /sbin", "USER 65532"];
  await withImage(docker.engine, dockerfile, async (id) => {
    assert.equal(await probe("print(process.pid)", { image: id }), 1);
  });
});

story(
  "a server starts, and gets its input, where the engine's init dies in the container",
  async () => {
    // Below an init the server is not process 1, and then it ends as a dynamic docker-init does.
    const script = `
    if (process.pid === 1) process.stdin.pipe(process.stdout);
    else {
      console.error("/sbin/docker-init: /lib/libc.so.6: version 'GLIBC_2.38' not found");
      process.exitCode = 127;
    }
  `;
    const { image } = await ensureBaseImage(docker.engine, () => {});
    await withImage(docker.engine, [`FROM ${image}`, "LABEL test=init"], async (id) => {
      for (const start of ["first", "second"]) {
        const container = await docker.runScript(script, { image: id });
        const next = linesOf((listener) => container.onLine(listener));
        container.write(`"${start}"`);
        assert.equal(await next(), `"${start}"`);
        container.write('"more"');
        assert.equal(await next(), '"more"');
        await container.stop(5_000);
        assert.deepEqual(await container.exited, { code: 0, oomKilled: false, reason: "closed" });
      }
    });
  },
);

story("a program that is not in the image is named on stderr, with exit code 127", async () => {
  const { image } = await ensureBaseImage(docker.engine, () => {});
  await withImage(docker.engine, [`FROM ${image}`, `ENTRYPOINT ["/not/here"]`], async (id) => {
    const container = await docker.runScript("", { image: id });
    const said = await linesOf((listener) => container.onStderr(listener))();
    assert.match(said, /exec \/not\/here failed: No such file or directory/);
    assert.equal((await container.exited).code, 127);
  });
});

story("a volume that the server's user cannot use is warned about", async () => {
  await chmod(folder, 0o700);
  const volumes = [{ hostPath: folder, containerPath: "/data", readOnly: false }];
  const container = await docker.runScript("", { volumes });
  assert.deepEqual(container.warnings, [
    `The server runs as user 65532:65532 and cannot write to "${folder}": change its owner or its mode, as with "chmod -R o+rwX"`,
  ]);
  await container.stop(0);
});
