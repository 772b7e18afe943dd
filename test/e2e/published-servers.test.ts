import assert from "node:assert/strict";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { connectLegacy, connectModern } from "../support/mcp.ts";
import { ROOT } from "../support/program.ts";
import { connect, createMachine, type Machine } from "../support/runner.ts";
import { startWorker, type Worker } from "../support/worker.ts";

/** The part of both majors' clients that these stories use. */
interface AnyClient {
  listTools(): Promise<{ tools: readonly { name: string }[] }>;
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

describe("the four published servers of docs/examples/four-servers.yaml", () => {
  let worker: Worker;
  let machine: Machine;
  let token: string;

  before(async () => {
    worker = await startWorker("node");
    const examples = join(ROOT, "docs/examples");
    machine = await createMachine(await readFile(join(examples, "four-servers.yaml"), "utf8"));
    await mkdir(join(machine.folder, "files"));
    await cp(join(examples, "files"), join(machine.folder, "files"), { recursive: true });
    await connect(machine, worker);
    token = await machine.createToken("*");
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await worker.stop();
  });

  const clients: Array<[name: string, open: () => Promise<AnyClient>]> = [
    [
      "@modelcontextprotocol/client 2.x",
      () => connectModern({ origin: worker.origin, token }),
    ],
    [
      "@modelcontextprotocol/sdk 1.x",
      () => connectLegacy({ origin: worker.origin, token }),
    ],
  ];

  for (const [name, open] of clients) {
    test(`${name} lists the allowed tools of all four and no others`, async () => {
      const client = await open();
      const { tools } = await client.listTools();
      const names = tools.map((tool) => tool.name);
      for (
        const expected of [
          "everything__echo",
          "filesystem__read_text_file",
          "memory__create_entities",
          "sequential-thinking__sequentialthinking",
        ]
      ) assert.ok(names.includes(expected), `${expected} in ${names.join(" ")}`);
      assert.ok(!names.some((tool) => /get-env|write_file|delete_/.test(tool)), names.join(" "));
      await client.close();
    });

    test(`${name} calls a tool of each`, async () => {
      const client = await open();
      const call = async (tool: string, args: Record<string, unknown>): Promise<string> =>
        JSON.stringify(await client.callTool({ name: tool, arguments: args }));

      assert.match(await call("everything__get-sum", { a: 2, b: 40 }), /42/);
      assert.match(
        await call("filesystem__read_text_file", { path: "/files/hello.txt" }),
        /A file that the server/,
      );
      const entity = { name, entityType: "client", observations: ["was here"] };
      await call("memory__create_entities", { entities: [entity] });
      assert.match(await call("memory__search_nodes", { query: name }), /was here/);
      const thought = await call("sequential-thinking__sequentialthinking", {
        thought: "first",
        nextThoughtNeeded: false,
        thoughtNumber: 1,
        totalThoughts: 1,
      });
      assert.match(thought, /thoughtHistoryLength/);
      await client.close();
    });

    test(`${name} is told that a denied tool does not exist`, async () => {
      const client = await open();
      await assert.rejects(
        client.callTool({ name: "everything__get-env", arguments: {} }),
        { code: -32602, message: /Unknown tool: everything__get-env$/ },
      );
      await client.close();
    });
  }
});
