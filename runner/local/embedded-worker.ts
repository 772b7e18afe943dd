import type { ServedWorker, ServeOptions, WorkerModule } from "../../src/embedded-worker.ts";
import { GatewayError } from "../../src/errors.ts";

/** First Node that has `node:sqlite` without a flag. */
const MIN_NODE = [22, 13] as const;

/**
 * Serves the built worker, which lies beside this program, in this process.
 *
 * @throws {GatewayError} `usage` on a Node that is too old, for a port that is taken, or when the
 * worker was not built.
 */
export async function serveEmbeddedWorker(options: ServeOptions): Promise<ServedWorker> {
  requireNode(process.versions.node);
  const { serve } = await importWorker();
  try {
    return await serve(options);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "EADDRINUSE" && code !== "EACCES") throw cause;
    const why = code === "EADDRINUSE" ? "is in use, is another mcp-runner up?" : "is not permitted";
    throw new GatewayError(
      "usage",
      `Cannot listen: port ${options.port} ${why} Choose another with --port`,
      { cause },
    );
  }
}

async function importWorker(): Promise<WorkerModule> {
  const file = new URL("./worker.js", import.meta.url);
  try {
    return await import(file.href) as WorkerModule;
  } catch (cause) {
    throw new GatewayError("usage", 'Cannot load the worker: run "npm run build" first', { cause });
  }
}

function requireNode(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return;
  throw new GatewayError(
    "usage",
    `Cannot run a worker on Node ${version}: "up" needs Node ${MIN_NODE.join(".")} or newer, ` +
      '"connect" does not',
  );
}
