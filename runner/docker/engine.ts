/**
 * The Docker engine: found, reached and asked what it is. Called once by each command that needs
 * containers; everything else in this folder works on the `Engine` that comes out.
 *
 *     endpoints (endpoint.ts) → first that answers GET /version → Engine
 *
 * @module
 */
import { Agent } from "node:https";
import Docker from "dockerode";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { userHome } from "../local/user-home.ts";
import { EngineRefusal, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import { type Connection, type Endpoint, findEndpoints } from "./endpoint.ts";

/** A reachable engine that runs Linux containers. */
export interface Engine {
  readonly docker: Docker;
  /** Where it is, as in `DOCKER_HOST`; for messages on this machine. */
  readonly endpoint: string;
  /** Path of its socket if it has one on this machine; never to be mounted into a container. */
  readonly socketPath: string | undefined;
  /** `linux`. */
  readonly os: string;
  /** As Docker names it: `amd64`, `arm64` … */
  readonly arch: string;
  /** Version of the engine, for messages. */
  readonly version: string;
}

/** How long one place may take to say whether an engine is there, in milliseconds. */
const CONNECT_MS = 5_000;

/** Minor version of the oldest Docker API 1.x with every option that we set (`CgroupnsMode`). */
const OLDEST_API_MINOR = 41;

const versionAnswer = v.object({
  Version: v.string(),
  ApiVersion: v.pipe(v.string(), v.regex(/^1\.\d+$/)),
  Os: v.string(),
  Arch: v.string(),
});

/**
 * Connects to the engine that the docker CLI would use with the same environment.
 *
 * @throws {GatewayError} `engine_unavailable`, saying which engine, what is wrong, and what to do.
 */
export async function connectEngine(env: NodeJS.ProcessEnv = process.env): Promise<Engine> {
  const home = env["HOME"] || env["USERPROFILE"] || userHome();
  const endpoints = await findEndpoints({ env, platform: process.platform, home });
  const failures: { endpoint: Endpoint; error: unknown }[] = [];
  for (const endpoint of endpoints) {
    try {
      return await connect(endpoint);
    } catch (error) {
      failures.push({ endpoint, error });
    }
  }
  // The place that got furthest tells most: a refused permission more than a missing file.
  failures.sort((a, b) => progressOf(b.error) - progressOf(a.error));
  const [told] = failures;
  if (told === undefined) throw new RangeError("No place to look for an engine");
  throw explain(told.endpoint, told.error);
}

async function connect(endpoint: Endpoint): Promise<Engine> {
  const docker = createClient(endpoint.connection);
  const answer = await withDeadline("reach the Docker engine", CONNECT_MS, async (abortSignal) => {
    return await dial(docker, { method: "GET", path: "/version", abortSignal });
  });
  const { Version, ApiVersion, Os, Arch } = v.parse(versionAnswer, answer);
  if (Os !== "linux") {
    throw new GatewayError(
      "engine_unavailable",
      `Cannot use the Docker engine at ${endpoint.url}: it runs ${Os} containers, switch it to Linux containers`,
    );
  }
  if (Number(ApiVersion.slice("1.".length)) < OLDEST_API_MINOR) {
    throw new GatewayError(
      "engine_unavailable",
      `Cannot use the Docker engine at ${endpoint.url}: version ${Version} is too old, install 20.10 or newer`,
    );
  }
  const { connection, url } = endpoint;
  const socketPath = connection.kind === "socket" ? connection.path : undefined;
  return { docker, endpoint: url, socketPath, os: Os, arch: Arch, version: Version };
}

/**
 * A client for one place. docker-modem reads `DOCKER_HOST` and what belongs to it by rules of its own, even
 * where it is told everything, and fails on certificates that need not be there; so it must not see it.
 */
function createClient(connection: Connection): Docker {
  const host = process.env["DOCKER_HOST"];
  delete process.env["DOCKER_HOST"];
  try {
    return new Docker(dockerOptions(connection));
  } finally {
    if (host !== undefined) process.env["DOCKER_HOST"] = host;
  }
}

function dockerOptions(connection: Connection): Docker.DockerOptions {
  if (connection.kind === "socket") return { protocol: "http", socketPath: connection.path };
  const { host, port, tls } = connection;
  const { ca, cert, key, verify = true } = tls ?? {};
  return {
    host,
    port,
    protocol: tls === undefined ? "http" : "https",
    ca,
    cert,
    key,
    ...(verify ? {} : { agent: new Agent({ rejectUnauthorized: false }) }),
  };
}

/** Code of the operating system's error, however deep it is wrapped. */
function systemCode(error: unknown): string | undefined {
  const shape = v.object({ code: v.optional(v.unknown()), cause: v.optional(v.unknown()) });
  for (let at: unknown = error; v.is(shape, at); at = at.cause) {
    // Our own errors have codes too, in lower case.
    if (typeof at.code === "string" && /^[A-Z]/.test(at.code)) return at.code;
  }
  return undefined;
}

function progressOf(error: unknown): number {
  switch (systemCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return 0;
    case "ECONNREFUSED":
      return 1;
    default:
      return 2;
  }
}

function explain({ url, from, connection }: Endpoint, error: unknown): GatewayError {
  const code = systemCode(error);
  const at = `Cannot reach the Docker engine at ${url} (from ${from})`;
  const because = (text: string) => new GatewayError("engine_unavailable", text, { cause: error });
  if (code === "EACCES" || code === "EPERM") {
    return because(
      `${at}: permission denied, add yourself to the group of the socket ("sudo usermod -aG docker $USER", then sign in again)`,
    );
  }
  if (code === "ENOENT" || code === "ENOTDIR" || code === "ECONNREFUSED") {
    return because(
      connection.kind === "socket"
        ? `${at}: it does not run, start it (Docker Desktop, or "sudo systemctl start docker") or install it from https://docs.docker.com/engine/install`
        : `${at}: nothing listens there, start the engine or correct ${from}`,
    );
  }
  if (code === "ABORT_ERR") {
    return because(`${at}: it did not answer within ${CONNECT_MS / 1000} s, restart it`);
  }
  if (error instanceof GatewayError && code === undefined) return error;
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return because(`${at}: its certificate is not trusted (${code}), correct DOCKER_CERT_PATH`);
  }
  if (code !== undefined) return because(`${at}: ${code}, correct ${from} or start the engine`);
  if (error instanceof EngineRefusal) {
    return because(`${at}: it refused with HTTP ${error.status} (${error.reason.slice(0, 100)})`);
  }
  return because(`${at}: what answers there is no Docker engine, correct ${from}`);
}
