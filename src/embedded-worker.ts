/**
 * What the built worker file exports for a program that runs it in its own process: `mcp-runner up`
 * loads dist/worker.js and serves it on loopback. The only contract between the two programs beside
 * the tunnel.
 *
 * @module
 */
import type { Log } from "./log.ts";

/** How to serve a worker in this process. */
export interface ServeOptions {
  readonly hostname: string;
  /** 0 = any free port. */
  readonly port: number;
  /** File of the store. */
  readonly storePath: string;
  readonly log: Log;
  /** The process's environment variables; MCP_RUNNER_URL and MCP_RUNNER_ORIGINS are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A worker that listens. */
export interface ServedWorker {
  /** `http://127.0.0.1:8787`, without a path. */
  readonly origin: string;
  /** A token for a runner of this machine, which needs no join code. */
  createTunnelToken(name: string): Promise<string>;
  /** A token for clients. `tools` are patterns over qualified tool names. */
  createClientToken(name: string, tools: readonly string[]): Promise<string>;
  /** Whether the worker knows `token` and it is neither revoked nor expired. */
  isLive(token: string): Promise<boolean>;
  /** Stops listening, tells the runners, and closes the store. */
  close(): Promise<void>;
}

/** The exports of dist/worker.js that `up` uses. */
export interface WorkerModule {
  serve(options: ServeOptions): Promise<ServedWorker>;
}
