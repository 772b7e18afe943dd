import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { after, test } from "node:test";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { reap } from "../../runner/docker/reaper.ts";
import { assertNothingLeft, containersOf, until, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

const IGNORES_THE_END = "setInterval(() => {}, 1000)";
const SEES_THE_END = "process.stdin.resume()";

/** A runner in a process of its own, which can be killed: one container for each script. */
async function otherRunner(owner: string, scripts: string[]) {
  const specs = await Promise.all(
    scripts.map((script) => docker.scriptSpec(script, { labels: { [OWNER_LABEL]: owner } })),
  );
  const from = (path: string) =>
    JSON.stringify(new URL(`../../runner/docker/${path}`, import.meta.url));
  const program = `
    import { startContainer } from ${from("container.ts")};
    import { connectEngine } from ${from("engine.ts")};
    const engine = await connectEngine();
    for (const spec of ${
    JSON.stringify(specs)
  }) console.log((await startContainer(engine, spec)).id);
  `;
  const stdio: ["ignore", "pipe", "inherit"] = ["ignore", "pipe", "inherit"];
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio });
  after(() => {
    child.kill("SIGKILL");
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ids: string[] = [];
  while (ids.length < scripts.length) {
    ids.push((await lines.next()).value ?? assert.fail("It ended"));
  }
  return {
    ids,
    async kill() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

story(
  "a killed runner leaves only servers that ignore the end of their input, and those are reaped",
  async () => {
    const owner = randomUUID();
    after(() => assertNothingLeft(docker.engine, owner));
    const runner = await otherRunner(owner, [SEES_THE_END, IGNORES_THE_END]);
    const mine = await docker.runScript(SEES_THE_END);

    const othersOnly = { isAlive: async (asked: string) => asked !== owner };
    const alive = await reap(docker.engine, { isAlive: async () => true });
    assert.deepEqual(alive, { containers: 0, networks: 0, folders: 0, failures: [] });
    assert.equal((await containersOf(docker.engine, owner)).length, 2);

    await runner.kill();
    const [, stubborn] = runner.ids;
    await until(
      "the end of the server that sees the end of its input",
      async () => (await containersOf(docker.engine, owner)).length === 1,
    );
    assert.deepEqual(await containersOf(docker.engine, owner), [stubborn]);

    assert.deepEqual(await reap(docker.engine, othersOnly), {
      containers: 1,
      networks: 0,
      folders: 0,
      failures: [],
    });
    assert.deepEqual(await containersOf(docker.engine, owner), []);
    assert.deepEqual(await containersOf(docker.engine, docker.owner), [mine.id]);
    await mine.stop(2_000);
  },
);

story("networks of a dead owner go too, and nothing without our label is touched", async () => {
  const owner = randomUUID();
  const { docker: api } = docker.engine;
  const name = (kind: string) => `mcp-runner-test-${kind}-${owner.slice(0, 8)}`;
  const ours = await api.createNetwork({
    Name: name("ours"),
    Internal: true,
    Labels: { [OWNER_LABEL]: owner },
  });
  const foreign = await api.createNetwork({ Name: name("foreign"), Internal: true });
  try {
    const asked: string[] = [];
    const reaped = await reap(docker.engine, {
      async isAlive(other) {
        asked.push(other);
        return other !== owner;
      },
    });
    assert.deepEqual(reaped, { containers: 0, networks: 1, folders: 0, failures: [] });
    assert.equal(asked.filter((other) => other === owner).length, 1);
    await assert.rejects(ours.inspect(), { statusCode: 404 });
    assert.equal((await foreign.inspect()).Name, name("foreign"));
  } finally {
    await foreign.remove();
  }
});

story("two reapers at once do not disturb each other", async () => {
  const owner = randomUUID();
  after(() => assertNothingLeft(docker.engine, owner));
  const containers = await Promise.all(
    [1, 2, 3].map(() => docker.runScript(IGNORES_THE_END, { labels: { [OWNER_LABEL]: owner } })),
  );
  const owners = { isAlive: async (asked: string) => asked !== owner };
  const both = await Promise.all([reap(docker.engine, owners), reap(docker.engine, owners)]);
  assert.deepEqual(both.flatMap(({ failures }) => failures), []);
  const exits = await Promise.all(containers.map(({ exited }) => exited));
  assert.deepEqual(exits.map(({ code }) => code), [137, 137, 137]);
});
