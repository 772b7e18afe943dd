import assert from "node:assert/strict";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { connectEngine } from "../../runner/docker/engine.ts";
import { SERVER_LABEL } from "../../runner/docker/label.ts";
import { eventually } from "../support/eventually.ts";
import { connectLegacy } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { probeEntry } from "../support/probe-server.ts";
import type { Program } from "../support/program.ts";
import { connect, createMachine, type Machine } from "../support/runner.ts";
import { startWorker, type Worker } from "../support/worker.ts";

type Client = Awaited<ReturnType<typeof connectLegacy>>;

/** Names of this file alone: they tell its containers from those of others. */
const STAYS = "reload-stays";
const CHANGES = "reload-changes";
const COMES = "reload-comes";

/** Ids of the containers of a server that run. */
async function containers(server: string): Promise<readonly string[]> {
  const { docker } = await connectEngine();
  const filters = { label: [`${SERVER_LABEL}=${server}`] };
  return (await docker.listContainers({ filters })).map(({ Id }) => Id);
}

describe("a config that changes while it is served", () => {
  let worker: Worker;
  let machine: Machine;
  let runner: Program;
  let client: Client;
  let image: string;
  /** Calls what waits for it when a client is told that the tools have changed. */
  let told: () => void = () => {};

  const file = (): string => join(machine.folder, "mcp-runner.yaml");
  const entry = (name: string): string => probeEntry(image, name);
  const write = (...entries: readonly string[]): Promise<void> =>
    writeFile(file(), `version: 1\nservers:\n${entries.join("")}`);
  const tools = async (): Promise<readonly string[]> =>
    (await client.listTools()).tools.map(({ name }) => name);
  const serversOf = (names: readonly string[]): readonly string[] =>
    [...new Set(names.map((name) => name.split("__")[0] ?? ""))].toSorted();
  /** Resolves with the milliseconds until the client is told, from `change` on. */
  const tellsOf = async (change: () => Promise<unknown>): Promise<number> => {
    const heard = new Promise<void>((resolve) => told = resolve);
    const begun = performance.now();
    await change();
    await heard;
    return performance.now() - begun;
  };

  /** Resolves when the runner has told `times` times that this server has changed. */
  const applied = (times: number): Promise<unknown> =>
    runner.printed(new RegExp(`(changed: ${CHANGES}\\)[^]*){${times}}`), 20_000);

  before(async () => {
    image = await probeImage();
    worker = await startWorker("node");
    machine = await createMachine(`version: 1\nservers:\n${entry(STAYS)}${entry(CHANGES)}`);
    runner = await connect(machine, worker);
    client = await connectLegacy({ origin: worker.origin, token: await machine.createToken("*") });
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => told());
  });
  after(async () => {
    await client.close();
    await machine[Symbol.asyncDispose]();
    await worker.stop();
  });

  test("another rule holds within a second, and no container is started for it", async () => {
    const before = await containers(CHANGES);
    assert.ok(before.length > 0);
    assert.ok((await tools()).includes(`${CHANGES}__echo`));
    const ms = await tellsOf(() =>
      write(entry(STAYS), entry(CHANGES).replace("deny: [secret]", "deny: [secret, echo]"))
    );
    assert.ok(!(await tools()).includes(`${CHANGES}__echo`));
    assert.ok(ms < 1_000, `${ms} ms`);
    await assert.rejects(client.callTool({ name: `${CHANGES}__echo` }), /Unknown tool/);
    assert.deepEqual(await containers(CHANGES), before);
  });

  test("a server is added, and the others go on in the containers that they had", async () => {
    const before = await containers(STAYS);
    await tellsOf(() => write(entry(STAYS), entry(CHANGES), entry(COMES)));
    await eventually(
      "the new server is listed",
      async () => serversOf(await tools()).includes(COMES) || undefined,
    );
    await client.callTool({ name: `${COMES}__echo` });
    assert.deepEqual(await containers(STAYS), before);
  });

  test("another environment starts that server anew, and only that one", async () => {
    const [stays, changes] = [await containers(STAYS), await containers(CHANGES)];
    const gone: string[] = [];
    const over = new AbortController();
    const watching = (async () => {
      while (!over.signal.aborted) {
        if (!(await tools()).includes(`${CHANGES}__echo`)) gone.push("echo");
      }
    })();
    await write(
      entry(STAYS),
      entry(CHANGES).replace("    tools:", "    env: { A: b }\n    tools:"),
      entry(COMES),
    );
    await applied(3);
    await client.callTool({ name: `${CHANGES}__echo` });
    await eventually("its container is another", async () => {
      const now = await containers(CHANGES);
      return (now.length > 0 && now.every((id) => !changes.includes(id))) || undefined;
    });
    assert.deepEqual(await containers(STAYS), stays);
    over.abort();
    await watching;
    assert.deepEqual(gone, [], "its tools were there all the time");
  });

  test("a call in flight on a server that is replaced ends as if nothing had happened", async () => {
    const waiting = new AbortController();
    const cancelled = client.callTool({ name: `${CHANGES}__wait` }, undefined, {
      signal: waiting.signal,
    });
    await eventually("the call has reached the server", async () => {
      const { content } = await client.callTool({ name: `${CHANGES}__seen` });
      return JSON.stringify(content).includes(`name\\\\\\":\\\\\\"wait`) || undefined;
    });
    const running = await containers(CHANGES);
    await write(
      entry(STAYS),
      entry(CHANGES).replace("    tools:", "    env: { A: c }\n    tools:"),
      entry(COMES),
    );
    await applied(4);
    await client.callTool({ name: `${CHANGES}__echo` });
    assert.ok(
      (await containers(CHANGES)).some((id) => running.includes(id)),
      "the old container is there while its call is",
    );
    waiting.abort("enough");
    await assert.rejects(cancelled);
    await eventually(
      "the old container is gone",
      async () => (await containers(CHANGES)).every((id) => !running.includes(id)) || undefined,
    );
  });

  const faults: Array<[why: string, text: string, told: RegExp]> = [
    ["a typo", "version: 1\nservers:\n  a:\n    sorce: npm:a\n", /yaml:4:5 .*unknown key/],
    ["half a file", "version: 1\nservers:\n  a: {", /yaml:3:\d+ /],
    ["an empty file", "", /it is empty/],
  ];
  for (const [why, text, expected] of faults) {
    test(`${why} changes nothing, and is said in the terminal and by inspect`, async () => {
      await eventually(
        "all servers are listed",
        async () => serversOf(await tools()).length === 3 || undefined,
      );
      const [before, offered] = [await containers(STAYS), await tools()];
      await writeFile(file(), text);
      await runner.printed(expected, 10_000);
      await runner.printed(/go on as they were/, 10_000);
      assert.deepEqual(await tools(), offered);
      await client.callTool({ name: `${STAYS}__echo` });
      assert.deepEqual(await containers(STAYS), before);
      const inspected = await machine.run("inspect");
      assert.equal(inspected.code, 0, inspected.output);
      assert.match(inspected.stdout, expected);
      assert.match(inspected.stdout, new RegExp(`^${STAYS} {2}ready`, "m"));
    });
  }

  test("a removed server is gone with its containers; a file that comes by a rename is read", async () => {
    const next = `${file()}.new`;
    await writeFile(next, `version: 1\nservers:\n${entry(STAYS)}`);
    await tellsOf(() => rename(next, file()));
    await eventually(
      "one server is listed",
      async () => serversOf(await tools()).join() === STAYS || undefined,
    );
    await eventually(
      "the containers are gone",
      async () =>
        [...await containers(CHANGES), ...await containers(COMES)].length === 0 || undefined,
    );
  });

  test("SIGHUP reads the config again and ends nothing", async () => {
    runner.process.kill("SIGHUP");
    assert.deepEqual(serversOf(await tools()), [STAYS]);
  });

  test("a second runner of the same config for the same worker ends with what to do", async () => {
    const { code, output } = await machine.run("connect", worker.origin);
    assert.equal(code, 2, output);
    assert.match(output, /process \d+ does so already, stop that first/);
  });

  test("every change is an event of the call log", async () => {
    const folder = join(machine.home, "journal");
    const names = await readdir(folder);
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
    const events = texts.join("").trim().split("\n").map((line) =>
      JSON.parse(line) as { type: string; outcome?: string; removed?: string[] }
    );
    const configs = events.filter(({ type }) => type === "config");
    assert.equal(configs.filter(({ outcome }) => outcome === "refused").length, 3);
    assert.deepEqual(configs.at(-1)?.removed?.toSorted(), [CHANGES, COMES]);
  });
});
