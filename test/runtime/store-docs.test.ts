import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { newJoinCode, redeemJoinCode } from "../../worker/access/join-code.ts";
import { createClientToken, createTunnelToken, revokeToken } from "../../worker/access/ledger.ts";
import type { Store } from "../../worker/store/store.ts";
import { memoryStore } from "../support/store-memory.ts";

test("docs/storage.md lists every key under which tokens and codes are kept", async () => {
  const page = await readFile(new URL("../../docs/storage.md", import.meta.url), "utf8");
  // Of the worker's store; what else is kept there are files.
  const [worker = ""] = page.split(/^## The runner$/m);
  const documented = [...worker.matchAll(/^\| `([^`]+)`/gm)].map(([, key = ""]) =>
    new RegExp(`^${key.replaceAll(/<\w+>/g, "[^/]+")}$`)
  );
  const memory = memoryStore(Date.now);
  const used = new Set<string>();
  const store: Store = {
    ...memory,
    commit(change) {
      for (const { key } of change.set ?? []) used.add(key);
      return memory.commit(change);
    },
  };

  const client = await createClientToken(store, { tunnel: "default", name: "ci", tools: ["*"] });
  await createTunnelToken(store, { tunnel: "default", name: "ada-laptop" });
  await revokeToken(store, client.token.id);
  const { code } = await newJoinCode(store, { tunnel: "default" });
  await redeemJoinCode(store, { code, machine: "bob-laptop" });

  assert.equal(used.size, 4);
  for (const key of used) {
    assert.ok(documented.some((pattern) => pattern.test(key)), `${key} is not documented`);
  }
});
