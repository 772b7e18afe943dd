/**
 * Every client era with every server era, by the official clients: what a server can do beside
 * answering reaches the client, and the client's answer reaches the server.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { writeFixture } from "../conformance/fixture.ts";
import { eventually } from "../support/eventually.ts";
import { CLIENT_ERAS, type MatrixClient, openMatrixClient } from "../support/matrix-client.ts";
import type { Endpoint } from "../support/mcp.ts";
import { probeImage } from "../support/probe-image.ts";
import { ROOT } from "../support/program.ts";
import { connect, createMachine } from "../support/runner.ts";
import { startWorker } from "../support/worker.ts";

const SERVER_ERAS = ["modern", "legacy"] as const;

/** A client that can answer, and one that declares nothing. */
interface Pair {
  readonly able: MatrixClient;
  readonly unable: MatrixClient;
}

/** What is tried in each cell, by the row of docs/mcp.md. */
const ROWS: Readonly<Record<string, (pair: Pair, server: string) => Promise<void>>> = {
  "elicitation, form": async ({ able }, server) => {
    const text = await able.call(`${server}__test_elicitation`, { message: "Who are you?" });
    assert.match(text, /ada@example\.com/);
    assert.equal(able.asked.at(-1), "form Who are you?");
  },
  "elicitation, URL": async ({ able }, server) => {
    const text = await able.call(`${server}__test_elicitation_url`);
    assert.match(text, /accept/);
    assert.equal(able.asked.at(-1), "url https://example.com/consent");
  },
  sampling: async ({ able }, server) => {
    assert.match(await able.call(`${server}__test_sampling`, { prompt: "Capital?" }), /Paris/);
    assert.equal(able.asked.at(-1), "sampling 1");
  },
  roots: async ({ able }, server) => {
    const text = await able.call(`${server}__test_input_required_result_list_roots`);
    assert.match(text, /file:\/\/\/home\/ada/);
    assert.equal(able.asked.at(-1), "roots");
  },
  progress: async ({ unable }, server) => {
    const seen: number[] = [];
    await unable.call(`${server}__test_tool_with_progress`, {}, {
      progress: (progress) => void seen.push(progress),
    });
    assert.deepEqual(seen, [0, 50, 100]);
  },
  logging: async ({ unable }, server) => {
    const before = unable.logged.length;
    await unable.call(`${server}__test_tool_with_logging`, {}, { logs: true });
    assert.equal(unable.logged.length - before, 3);
  },
  cancellation: async ({ unable }, server) => {
    const cancelled = async () => Number(await unable.call(`${server}__test_cancelled_count`));
    const before = await cancelled();
    const aborting = new AbortController();
    const started = Promise.withResolvers<void>();
    const call = unable.call(`${server}__test_until_cancelled`, {}, {
      progress: () => started.resolve(),
      signal: aborting.signal,
    });
    const refused = assert.rejects(call);
    await started.promise;
    aborting.abort("Not wanted any more");
    await refused;
    await eventually("the server knows", async () => await cancelled() > before || undefined);
  },
  "changed lists": async ({ unable }, server) => {
    await unable.watchTools();
    const before = unable.changed.length;
    await unable.call(`${server}__test_trigger_tool_change`);
    await eventually(
      "the change is heard",
      async () => unable.changed.length > before || undefined,
    );
  },
  "subscribing to resources": async ({ unable }, server) => {
    const uris = (await unable.resources()).filter((uri) => uri.endsWith("watched-resource"));
    const uri = uris.find((it) => it.startsWith("mcpr.") === (server === SECOND)) ?? "";
    await unable.subscribe(uri);
    await eventually("the update is heard", async () => {
      // A server knows of the subscription a moment after the client does.
      await unable.call(`${server}__test_trigger_resource_update`, {
        uri: "test://watched-resource",
      });
      return unable.updated.includes(uri) || undefined;
    });
  },
};

/** The server whose URIs give way: it comes after the other in the config. */
const SECOND = "legacy";

const stack = new AsyncDisposableStack();
let endpoint: Endpoint;

before(async () => {
  const worker = stack.use(await startWorker("node"));
  const image = await probeImage();
  const entries = SERVER_ERAS.map((era) =>
    `  ${era}:
    source: ${JSON.stringify(`image:${image}`)}
    args: [/fixture.mjs, ${era}]
    volumes: ["./fixture.mjs:/fixture.mjs"]
    tools: { allow: ["*"] }
    prompts: { allow: ["*"] }
    resources: { allow: ["*"] }
`
  );
  const machine = stack.use(await createMachine(`version: 1\nservers:\n${entries.join("")}`));
  await writeFixture(machine.folder);
  await connect(machine, worker);
  endpoint = { origin: worker.origin, token: await machine.createToken("*") };
});
after(() => stack.disposeAsync());

for (const client of CLIENT_ERAS) {
  describe(`a ${client} client`, () => {
    const clients = new AsyncDisposableStack();
    let pair: Pair;
    before(async () => {
      pair = {
        able: clients.use(await openMatrixClient(client, endpoint, true)),
        unable: clients.use(await openMatrixClient(client, endpoint, false)),
      };
    });
    after(() => clients.disposeAsync());
    for (const server of SERVER_ERAS) {
      for (const [row, run] of Object.entries(ROWS)) {
        test(`with a ${server} server: ${row}`, () => run(pair, server));
      }
    }
  });
}

test("docs/mcp.md shows this matrix, and nothing in it is refused", async () => {
  const text = await readFile(join(ROOT, "docs/mcp.md"), "utf8");
  const table = /<!-- matrix:begin.*?-->(.*)<!-- matrix:end -->/s.exec(text)?.[1] ?? "";
  const [header = [], , ...rows] = table.trim().split("\n").map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  const cells = CLIENT_ERAS.flatMap((client) => SERVER_ERAS.map((it) => `${client} → ${it}`));
  assert.deepEqual(header.slice(1), cells);
  assert.deepEqual(rows.map(([name]) => name), Object.keys(ROWS));
  for (const [name = "", ...words] of rows) {
    for (const word of words) assert.match(word, /^(passed|translated|ours)$/, name);
  }
});
