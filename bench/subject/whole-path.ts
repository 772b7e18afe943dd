import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { type Config, loadConfig } from "../../runner/config/config.ts";
import type { Engine } from "../../runner/docker/engine.ts";
import { OWNER_LABEL, SERVER_LABEL } from "../../runner/docker/label.ts";
import { createTokenResponse } from "../../src/access-api.ts";
import { modernClient, openLegacySession } from "../mcp-client.ts";
import { builtFile } from "../built.ts";
import { Program } from "../program.ts";
import type { Subject } from "./subject.ts";

/** The product as it is shipped, at work. */
export interface WholePath {
  /** A client with a session of MCP 2025-11-25, as the peers have. */
  readonly legacy: Subject;
  /** A client of MCP 2026-07-28. */
  readonly modern: Subject;
  /** Removes the server's container and waits until the runner knows: the next call finds it cold. */
  chill(): Promise<void>;
}

/** Where the product keeps its things, and what it serves. */
export interface WholePathOptions {
  /** An empty folder. */
  readonly folder: string;
  readonly engine: Engine;
  /** Name of the server: nobody else's on this machine, so that its container is found by it. */
  readonly server: string;
  readonly signal: AbortSignal;
}

/** Writes the runner's config: server-everything, of which nothing but `echo` is allowed. */
export async function writeConfig(folder: string, server: string): Promise<Config> {
  const path = join(folder, "mcp-runner.yaml");
  const lines = [
    "version: 1",
    "servers:",
    `  ${server}:`,
    "    source: npm:@modelcontextprotocol/server-everything@2026.8.31",
    "    args: [stdio]",
    "    tools: { allow: [echo] }",
  ];
  await writeFile(path, `${lines.join("\n")}\n`);
  return loadConfig(path);
}

/**
 * (c) Worker and runner as separate programs, the client with a token, the server in its container.
 * Two clients, one of each era, share them.
 */
export async function startWholePath(
  stack: AsyncDisposableStack,
  { folder, engine, server, signal }: WholePathOptions,
): Promise<WholePath> {
  const env = { MCP_RUNNER_HOME: join(folder, "home") };
  const start = (name: string, args: readonly string[], more: Record<string, string>): Program =>
    stack.use(new Program({ name, args, env: more, signal }));

  const worker = start("the worker", [builtFile("worker.js"), "serve"], {
    HOST: "127.0.0.1",
    PORT: "0",
    MCP_RUNNER_DATA: join(folder, "worker.db"),
  });
  const origin = await worker.printed(/MCP endpoint: (\S+)\/mcp/);
  const code = await worker.printed(/--code (\S+)/);
  const config = join(folder, "mcp-runner.yaml");
  const connect = ["connect", origin, "--code", code, "--config", config, "--yes"];
  const runner = start("the runner", [builtFile("runner.js"), ...connect], env);
  await runner.printed(/Ready: /);

  const token = await createToken(origin, env, signal);
  const endpoint = { url: `${origin}/mcp`, tool: `${server}__echo`, token };
  return {
    legacy: await openLegacySession(stack, { ...endpoint, name: "mcp-runner, 2025-11-25" }),
    modern: modernClient(stack, { ...endpoint, name: "mcp-runner, 2026-07-28" }),
    chill: async () => {
      const label = [`${SERVER_LABEL}=${server}`];
      const [container, ...others] = await engine.docker.listContainers({ filters: { label } });
      if (container === undefined || others.length > 0) {
        throw new Error(`Cannot chill ${server}: it has ${others.length} containers too many`);
      }
      const { [OWNER_LABEL]: owner } = container.Labels;
      if (owner === undefined) throw new Error(`Cannot chill ${server}: its container is not ours`);
      await engine.docker.getContainer(container.Id).remove({ force: true });
      await runner.printed(/ended: /);
    },
  };
}

async function createToken(
  origin: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const create = ["token", "create", "--tools", "*", "--worker", origin, "--json"];
  const args = [builtFile("runner.js"), ...create];
  await using program = new Program({ name: "mcp-runner token create", args, env, signal });
  return v.parse(createTokenResponse, JSON.parse(await program.end())).token;
}
