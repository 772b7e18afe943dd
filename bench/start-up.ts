import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { builtFile } from "./built.ts";
import { HttpClient } from "./http-client.ts";
import { measurePairs, type Paired } from "./paired.ts";
import { Program, type ProgramOptions } from "./program.ts";

/** Where and how often to start things. */
export interface StartUpOptions {
  /** A folder for files of ours. */
  readonly folder: string;
  readonly times: number;
  readonly signal: AbortSignal;
}

/** How long the worker takes to its first answer, and the command line to its help. */
export async function measureStartUps(options: StartUpOptions): Promise<readonly Paired[]> {
  const { folder, times, signal } = options;
  const empty = join(folder, "empty-app.mjs");
  await build({
    entryPoints: [fileURLToPath(new URL("./empty-app.ts", import.meta.url))],
    outfile: empty,
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
  });
  const bare = join(folder, "bare.mjs");
  await writeFile(bare, "");
  const env = { HOST: "127.0.0.1", PORT: "0", MCP_RUNNER_DATA: join(folder, "start-up.db") };
  return [
    await measurePairs({ name: "worker to first 200", baseline: "empty Hono app" }, {
      times,
      signal,
      each: () =>
        toFirst200({ name: "the worker", args: [builtFile("worker.js"), "serve"], env, signal }),
      baseline: () => toFirst200({ name: "the empty app", args: [empty], signal }),
    }),
    await measurePairs({ name: "mcp-runner --help", baseline: "bare node" }, {
      times,
      signal,
      each: () => toEnd({ name: "mcp-runner", args: [builtFile("runner.js"), "--help"], signal }),
      baseline: () => toEnd({ name: "bare node", args: [bare], signal }),
    }),
  ];
}

async function toFirst200(options: ProgramOptions): Promise<number> {
  const startedAt = performance.now();
  await using program = new Program(options);
  const origin = await program.printed(/(http:\S+)\/mcp/);
  await using http = new HttpClient(`${origin}/healthz`);
  const { status } = await http.send("GET", {});
  if (status !== 200) throw new Error(`${options.name} answered with HTTP ${status}`);
  return performance.now() - startedAt;
}

async function toEnd(options: ProgramOptions): Promise<number> {
  const startedAt = performance.now();
  await using program = new Program(options);
  await program.end();
  return performance.now() - startedAt;
}
