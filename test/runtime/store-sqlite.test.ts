/**
 * The store contract over `node:sqlite`. Runs on Node and, started by store-deno.test.ts, on Deno.
 *
 * @module
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "../../worker/store/node-sqlite.ts";
import { storeContract, type StoreUnderTest } from "../contract/store.ts";
import { memoryStore } from "../support/store-memory.ts";

function sqlite(path: string): StoreUnderTest {
  let at = 0;
  const store = openSqliteStore(path, { now: () => at });
  return { store, setTime: (ms) => void (at = ms), close: () => store.close() };
}

storeContract("SQLite in memory", async () => sqlite(":memory:"));

storeContract("a SQLite file", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mcp-runner-store-"));
  const subject = sqlite(join(directory, "worker.db"));
  return {
    ...subject,
    async close() {
      await subject.close();
      await rm(directory, { recursive: true });
    },
  };
});

// The stand-in of the unit tests is held to the same contract, so that they test against the truth.
storeContract("the Map of the unit tests", async () => {
  let at = 0;
  return { store: memoryStore(() => at), setTime: (ms) => void (at = ms), close: () => {} };
});
