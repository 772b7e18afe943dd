/**
 * Each thing that a server can be let off does what it says, and the rest stays.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { FULL_ISOLATION, type Isolation } from "../../runner/config/isolation.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { aboutEngine, probe, useEngine, withImage } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: (t: TestContext) => Promise<void>) =>
  void test(name, { skip, timeout: 120_000 }, run);

/** What an attacker would try, one word for each answer. */
const ATTACKS = `
  const status = fs.readFileSync("/proc/self/status", "utf8");
  const of = (name) => status.match(new RegExp("^" + name + ":\\\\s+(\\\\S+)", "m"))[1];
  fs.copyFileSync("/bin/sh", "/tmp/sh");
  fs.chmodSync("/tmp/sh", 0o755);
  print({
    uid: process.getuid(),
    root: codeOf(() => fs.writeFileSync("/x", "x")),
    exec: codeOf(() => execFileSync("/tmp/sh", ["-c", "true"])),
    capabilities: of("CapEff"),
    privileges: of("NoNewPrivs"),
    seccomp: of("Seccomp"),
    links: Object.keys(os.networkInterfaces()),
  });
`;

const HELD = {
  uid: 65532,
  root: "EROFS",
  exec: "EACCES",
  capabilities: "0000000000000000",
  privileges: "1",
  seccomp: "2",
  links: ["lo"],
};

async function attack(isolation: Partial<Isolation>, image?: string) {
  const overrides = image === undefined ? {} : { image };
  return await probe(docker, ATTACKS, {
    ...overrides,
    isolation: { ...FULL_ISOLATION, ...isolation },
  });
}

story("a server that is let off nothing is held", async () => {
  assert.deepEqual(await attack({}), HELD);
});

story("writable: true opens the root to root alone, as its files are root's", async () => {
  assert.deepEqual(await attack({ writable: true }), { ...HELD, root: "EACCES" });
});

story("execTmp: true lets programs run in /tmp, and nothing else", async () => {
  assert.deepEqual(await attack({ execTmp: true }), { ...HELD, exec: "done" });
});

story(
  "root: true keeps the image's root, without capabilities and with a read-only root",
  async () => {
    const { image } = await ensureBaseImage(docker.engine, () => {});
    await withImage(docker.engine, [`FROM ${image}`, "USER 0"], async (id) => {
      assert.deepEqual(await attack({}, id), HELD);
      assert.deepEqual(await attack({ root: true }, id), { ...HELD, uid: 0 });
      const both = { root: true, writable: true };
      assert.deepEqual(await attack(both, id), { ...HELD, uid: 0, root: "done" });
      // NET_BIND_SERVICE is bit 10 (capabilities(7)).
      const caps = { root: true, caps: ["NET_BIND_SERVICE"] };
      const capabilities = "0000000000000400";
      assert.deepEqual(await attack(caps, id), { ...HELD, uid: 0, capabilities });
    });
  },
);

story("capabilities are of no use to a server that is not root, and it is said", async () => {
  const isolation = { ...FULL_ISOLATION, caps: ["CHOWN"] };
  assert.deepEqual(await attack(isolation), HELD);
  const container = await docker.runScript("", { isolation });
  assert.match(
    container.warnings.join("\n"),
    /runs as user 65532, .* remove caps, or write root: true/,
  );
  await container.stop(0);
});

story("user: is who the server runs as, with a home that it can write to", async () => {
  const found = await probe(
    docker,
    `print({ uid: process.getuid(), gid: process.getgid(), home: os.homedir() })`,
    { user: "1234:5678" },
  );
  assert.deepEqual(found, { uid: 1234, gid: 5678, home: "/tmp" });
});

for (const user of ["0", "root", "00:5", "0x0", "toor"]) {
  story(`user: "${user}" is refused without root: true`, async () => {
    const { image } = await ensureBaseImage(docker.engine, () => {});
    const dockerfile = [
      `FROM ${image}`,
      "USER 0",
      `RUN ["/bin/sh", "-c", "echo toor:x:0:0::/:/bin/sh >> /etc/passwd"]`,
      "USER 65532",
    ];
    await withImage(docker.engine, dockerfile, async (id) => {
      await assert.rejects(docker.runScript("", { image: id, user }), {
        code: "config_invalid",
        message: /it is root.*, write root: true if it must be/,
      });
    });
  });
}

story("user: of a name that the image does not list is refused", async () => {
  await assert.rejects(docker.runScript("", { user: "ghost" }), {
    code: "config_invalid",
    message: /the image does not list it, write a number such as 1000:1000/,
  });
});

for (const runtime of ["runsc", "kata"] as const) {
  story(`runtime: ${runtime} says what to install where the engine has none`, async (t) => {
    const { Runtimes } = await aboutEngine(docker.engine);
    if (runtime in Runtimes) return t.skip("the engine has it");
    await assert.rejects(attack({ runtime }), {
      code: "server_failed",
      message: new RegExp(`the engine has no runtime "${runtime}", install .* or remove runtime$`),
    });
  });
}

story("gpus: says what to install where the engine has none", async (t) => {
  const { Runtimes } = await aboutEngine(docker.engine);
  if ("nvidia" in Runtimes) return t.skip("the engine has some");
  await assert.rejects(attack({ gpus: "all" }), {
    code: "server_failed",
    message: /the engine has no GPU to give, install the NVIDIA Container Toolkit/,
  });
});

story("a network is where the server is, with its DNS and its variables", async () => {
  const name = `mcp-runner-test-net-${docker.owner.slice(0, 8)}`;
  const network = await docker.engine.docker.createNetwork({ Name: name, Internal: true });
  try {
    const found = await probe(
      docker,
      `print({
        dns: fs.readFileSync("/etc/resolv.conf", "utf8").includes("127.0.0.11"),
        links: Object.keys(os.networkInterfaces()).length,
        proxy: process.env.HTTPS_PROXY,
      })`,
      { network: { name, dns: ["192.0.2.254"], env: { HTTPS_PROXY: "http://192.0.2.1:8080" } } },
    );
    assert.deepEqual(found, { dns: true, links: 2, proxy: "http://192.0.2.1:8080" });
  } finally {
    await network.remove();
  }
});

story("a container is named after its server, and two of one server have two names", async () => {
  const labels = { ...(await docker.scriptSpec("")).labels, [SERVER_LABEL]: "notes" };
  const wait = "process.stdin.resume()";
  const containers = [
    await docker.runScript(wait, { labels }),
    await docker.runScript(wait, { labels }),
  ];
  const names = await Promise.all(
    containers.map(async ({ id }) => (await docker.engine.docker.getContainer(id).inspect()).Name),
  );
  for (const name of names) assert.match(name, /^\/mcp-runner-notes-[0-9a-f]{6}$/);
  assert.notEqual(names[0], names[1]);
  await Promise.all(containers.map((container) => container.stop(0)));
});
