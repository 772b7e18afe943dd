import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { OWNER_LABEL, SERVER_LABEL, VOLUME_LABEL } from "../../runner/docker/label.ts";
import { prune } from "../../runner/docker/prune.ts";
import type { ContainerSpec } from "../../runner/docker/container.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";
import { probe, useEngine, withImage } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 120_000 }, run);

const made: string[] = [];
after(async () => {
  for (const name of made) {
    await docker.engine.docker.getVolume(name).remove({ force: true }).catch(() => {});
  }
});

/** A server that nobody else has, with one volume; `name` is what the engine calls it. */
function withVolume(containerPath: string, readOnly = false) {
  const server = `t${randomUUID().slice(0, 8)}`;
  const name = `mcp-runner-${server}-db`;
  made.push(name);
  const spec: Partial<ContainerSpec> = {
    labels: { [OWNER_LABEL]: docker.owner, [SERVER_LABEL]: server },
    namedVolumes: [{ volume: "db", containerPath, readOnly }],
  };
  return { server, name, spec };
}

const isOurs = async (name: string) => await docker.engine.docker.getVolume(name).inspect();

for (const path of ["/data", "/tmp", "/tmp/db", "/var/lib/deep/er", "/usr/bin"]) {
  story(
    `a server that is not root can write to a new volume at ${path}, and finds it again`,
    async () => {
      const { name, spec } = withVolume(path);
      const write =
        `print([codeOf(() => fs.writeFileSync("${path}/note", "kept")), process.getuid()])`;
      assert.deepEqual(await probe(docker, write, spec), ["done", 65532]);
      assert.equal(
        await probe(docker, `print(fs.readFileSync("${path}/note", "utf8"))`, spec),
        "kept",
      );
      assert.equal((await isOurs(name)).Labels?.[OWNER_LABEL], undefined);
    },
  );
}

story("only the volume is writable, and only its root has changed its owner", async () => {
  const { spec } = withVolume("/usr/share/data");
  const { image } = await ensureBaseImage(docker.engine, () => {});
  const dockerfile = [
    `FROM ${image}`,
    "USER 0",
    `RUN ["/usr/bin/node", "-e", "fs.mkdirSync('/usr/share/data/of', { recursive: true }); fs.writeFileSync('/usr/share/data/first', 'from the image')"]`,
    "USER 65532",
  ];
  await withImage(docker.engine, dockerfile, async (id) => {
    const found = await probe(
      docker,
      `print({
        first: fs.readFileSync("/usr/share/data/first", "utf8"),
        owners: ["", "/of", "/first"].map((path) => fs.statSync("/usr/share/data" + path).uid),
        beside: codeOf(() => fs.writeFileSync("/usr/share/x", "x")),
      })`,
      { ...spec, image: id },
    );
    assert.deepEqual(found, { first: "from the image", owners: [65532, 0, 0], beside: "EROFS" });
  });
});

story("a volume whose path the image gives to its user keeps that owner", async () => {
  const { spec } = withVolume("/home/app");
  const { image } = await ensureBaseImage(docker.engine, () => {});
  const dockerfile = [
    `FROM ${image}`,
    "USER 0",
    `RUN ["/usr/bin/node", "-e", "fs.mkdirSync('/home/app', { recursive: true }); fs.chownSync('/home/app', 1234, 1234); fs.chmodSync('/home/app', 0o700)"]`,
    "USER 1234",
  ];
  await withImage(docker.engine, dockerfile, async (id) => {
    const look = `const { uid, mode } = fs.statSync("/home/app"); print([uid, mode & 0o777])`;
    assert.deepEqual(await probe(docker, look, { ...spec, image: id }), [1234, 0o700]);
  });
});

story("a volume of another user is left alone, and it is said", async () => {
  const { spec } = withVolume("/data");
  await probe(docker, "print(1)", { ...spec, user: "1000" });
  const container = await docker.runScript("", { ...spec, user: "2000" });
  assert.match(
    container.warnings.join("\n"),
    /"db" belongs to user 1000 and the server runs as 2000/,
  );
  await container.stop(0);
  assert.equal(
    await probe(docker, `print(fs.statSync("/data").uid)`, { ...spec, user: "1000" }),
    1000,
  );
});

story("a volume that is read-only is", async () => {
  const { spec } = withVolume("/data", true);
  assert.equal(
    await probe(docker, `print(codeOf(() => fs.writeFileSync("/data/x", "x")))`, spec),
    "EROFS",
  );
});

story("a volume of the same name that is not this server's is refused", async () => {
  const { name, spec, server } = withVolume("/data");
  const labels = { [VOLUME_LABEL]: `${server}-db/x` };
  await docker.engine.docker.createVolume({ Name: name, Labels: labels });
  await assert.rejects(docker.runScript("", spec), {
    code: "config_invalid",
    message: /it was not made for this server, give the volume another name/,
  });
});

story("prune() removes volumes only if asked, and none that may be used", async () => {
  const kept = withVolume("/data");
  const gone = withVolume("/data");
  await probe(docker, "print(1)", gone.spec);
  const running = await docker.runScript("process.stdin.resume()", kept.spec);
  const names = [kept.name, gone.name];
  const owners = { isAlive: async () => true };
  const of = (found: readonly string[]) => found.filter((name) => names.includes(name));

  const nothing = await prune(docker.engine, {
    ...owners,
    volumes: false,
    isUsed: async () => false,
  });
  assert.deepEqual([nothing.volumes, nothing.kept], [[], []]);

  const cautious = await prune(docker.engine, {
    ...owners,
    volumes: true,
    isUsed: async () => true,
  });
  assert.deepEqual(cautious.volumes, []);
  assert.deepEqual(of(cautious.kept), names.toSorted());

  const isUsed = async (name: string) => !names.includes(name);
  const pruned = await prune(docker.engine, { ...owners, volumes: true, isUsed });
  assert.deepEqual(pruned.volumes, [gone.name]);
  assert.deepEqual(of(pruned.kept), [kept.name]);
  await running.stop(0);
  const rest = await prune(docker.engine, { ...owners, volumes: true, isUsed });
  assert.deepEqual(rest.volumes, [kept.name]);
});
