import { build } from "esbuild";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { remoteStore } from "../../worker/store/remote.ts";
import type { Store } from "../../worker/store/store.ts";

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = "data", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-01",
  bindings = [(name = "STORE", durableObjectNamespace = "StoreObject")],
  durableObjectNamespaces = [
    (className = "StoreObject", uniqueKey = "mcp-runner-store-test", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
);
`;

/**
 * Bundles store-object.ts into `directory` with a configuration for workerd and a place for its data.
 *
 * @returns Path of the configuration file.
 */
export async function buildStoreWorker(directory: string): Promise<string> {
  await build({
    entryPoints: [fileURLToPath(new URL("store-object.ts", import.meta.url))],
    outfile: join(directory, "worker.js"),
    bundle: true,
    format: "esm",
    target: "es2023",
    platform: "neutral",
    mainFields: ["module", "main"],
    logLevel: "silent",
  });
  await mkdir(join(directory, "data"));
  const configPath = join(directory, "store.capnp");
  await writeFile(configPath, CONFIG);
  return configPath;
}

/** The store of the object `name` in the workerd at `url`, as a front worker reaches it. */
export function objectStore(url: string, name: string): Store {
  return remoteStore(() => ({
    fetch: (request) => fetch(new Request(`${url}/${name}/store`, request)),
  }));
}

/** Turns the clock of the object `name` in the workerd at `url`. */
export async function setObjectTime(url: string, name: string, ms: number): Promise<void> {
  const response = await fetch(`${url}/${name}/clock`, { method: "POST", body: String(ms) });
  await response.arrayBuffer();
}
