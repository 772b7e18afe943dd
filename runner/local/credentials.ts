import { randomUUID } from "node:crypto";
import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { replaceFile } from "./atomic-file.ts";
import { withLock } from "./lock.ts";
import { readPrivateFile } from "./private-file.ts";

/** The only version of the file so far. */
const FILE_VERSION = 1;

const MAX_FILE_BYTES = 1024 * 1024;

const workerCredentials = v.strictObject({
  /** Opens the tunnel: `mcpr_tunnel_` and 43 characters. Secret. */
  tunnelToken: v.pipe(v.string(), v.regex(/^mcpr_tunnel_[A-Za-z0-9_-]{43}$/)),
  /** Id of the tunnel at the worker. */
  tunnel: v.pipe(v.string(), v.nonEmpty(), v.maxLength(256)),
  /** Name under which the worker knows this machine. */
  machine: v.pipe(v.string(), v.maxLength(256)),
  /** When the tunnel token was given, ISO 8601 in UTC. */
  joinedAt: v.pipe(v.string(), v.isoTimestamp()),
  /** Token of a client on this machine: `mcpr_client_` and 43 characters. Secret. */
  clientToken: v.optional(v.pipe(v.string(), v.regex(/^mcpr_client_[A-Za-z0-9_-]{43}$/))),
});

const credentials = v.strictObject({
  version: v.literal(FILE_VERSION),
  /** Tells the runners of this state directory from those of others, for the life of the directory. */
  runnerId: v.pipe(v.string(), v.uuid()),
  /** By origin of the worker's URL, such as `https://edge.example.com`. */
  workers: v.record(v.pipe(v.string(), v.check((it) => originOf(it) === it)), workerCredentials),
});

/** What opens the tunnel to one worker. */
export type WorkerCredentials = Readonly<v.InferOutput<typeof workerCredentials>>;

/** What `credentials.json` holds. */
export interface Credentials {
  readonly version: typeof FILE_VERSION;
  readonly runnerId: string;
  readonly workers: Readonly<Record<string, WorkerCredentials>>;
}

/**
 * Reads the credentials of the state directory `home`; makes the file, with a new runner id, at first use.
 *
 * @throws {GatewayError} `credentials_unsafe` when others can read the file, `config_invalid` when it does
 * not hold what this program writes.
 */
export async function loadCredentials(home: string): Promise<Credentials> {
  return await read(home) ?? await update(home, (current) => current);
}

/**
 * Keeps `entry` for the worker at `url`, in place of an earlier one. Processes that do this at the same
 * time do not lose each other's entries.
 */
export async function rememberWorker(
  home: string,
  url: string,
  entry: WorkerCredentials,
): Promise<void> {
  const origin = requireOrigin(url);
  if (!v.is(workerCredentials, entry)) throw new TypeError("Credentials of a worker are malformed");
  await update(home, ({ workers, ...rest }) => ({
    ...rest,
    workers: { ...workers, [origin]: entry },
  }));
}

/** Forgets the worker at `url`; false when there was nothing to forget. */
export async function forgetWorker(home: string, url: string): Promise<boolean> {
  const origin = requireOrigin(url);
  let known = false;
  await update(home, ({ workers: { [origin]: forgotten, ...workers }, ...rest }) => {
    known = forgotten !== undefined;
    return { ...rest, workers };
  });
  return known;
}

/** The part of a worker's URL that credentials are kept under; undefined when `url` is no HTTP URL. */
function originOf(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  return parsed !== undefined && /^https?:$/.test(parsed.protocol) ? parsed.origin : undefined;
}

function requireOrigin(url: string): string {
  const origin = originOf(url);
  if (origin !== undefined) return origin;
  throw new GatewayError(
    "usage",
    `Cannot use "${printable(url)}" as a worker: it is not a URL such as https://edge.example.com`,
  );
}

/** Reads, changes and writes the file while nobody else does. */
async function update(
  home: string,
  change: (current: Credentials) => Credentials,
): Promise<Credentials> {
  try {
    return await withLock(join(home, "credentials.lock"), async () => {
      const current = await read(home);
      const next = change(current ?? { version: 1, runnerId: randomUUID(), workers: {} });
      if (next !== current) await replaceFile(fileIn(home), `${JSON.stringify(next, null, 2)}\n`);
      return next;
    });
  } catch (error) {
    throw failure(fileIn(home), error);
  }
}

/** What the system refused, in words; our own errors pass. */
function failure(path: string, error: unknown): unknown {
  if (error instanceof GatewayError || !(error instanceof Error) || !("code" in error)) {
    return error;
  }
  return new GatewayError(
    "store_unavailable",
    `Cannot write ${printable(path)}: the system answers ${
      String(error.code)
    }, repair it or set MCP_RUNNER_HOME`,
    { cause: error },
  );
}

async function read(home: string): Promise<Credentials | undefined> {
  const path = fileIn(home);
  const text = await readPrivateFile(path, MAX_FILE_BYTES);
  if (text === undefined) return undefined;
  const parsed = v.safeParse(credentials, parseJson(text));
  if (parsed.success) return parsed.output;
  // The message of an issue would repeat the value, which is a secret.
  const where = v.getDotPath(parsed.issues[0]) ?? "the file";
  throw new GatewayError(
    "config_invalid",
    `Cannot read ${printable(path)}: ${
      printable(where)
    } is not what mcp-runner writes, move the file away and connect again`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Reported as a file of the wrong shape; the error of the parser would repeat its text.
    return undefined;
  }
}

function fileIn(home: string): string {
  return join(home, "credentials.json");
}
