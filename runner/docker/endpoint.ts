/**
 * Where the Docker engine is, found as the docker CLI finds it. Called by engine.ts.
 *
 *     DOCKER_HOST
 *     else DOCKER_CONTEXT, else the context of `docker context use`
 *     else the usual sockets, tried in turn
 *
 * @module
 */
import { join } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { currentContext, readContext, readOptional } from "./context.ts";

/** What the search looks at; tests pass their own. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  /** The user's home folder. */
  readonly home: string;
}

/** Certificates in PEM form, for an engine that asks for TLS. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** False only if the user's context or environment says not to check the engine's certificate. */
  readonly verify: boolean;
}

/** How to open a connection to an engine. */
export type Connection =
  /** A Unix socket, or a named pipe on Windows. */
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls?: Tls };

/** One place where an engine may be. */
export interface Endpoint {
  /** As a user would write it in `DOCKER_HOST`. */
  readonly url: string;
  /** What named it, for messages: `DOCKER_HOST`, `the Docker context "colima"`, `the usual socket`. */
  readonly from: string;
  readonly connection: Connection;
}

const UNIX_SOCKET = "/var/run/docker.sock";
const WINDOWS_PIPE = "//./pipe/docker_engine";

/**
 * The places to try, best first; more than one only where nothing names the engine.
 *
 * @throws {GatewayError} `engine_unavailable` when what names the engine is wrong or not supported.
 */
export async function findEndpoints(machine: Machine): Promise<readonly Endpoint[]> {
  const { env, home } = machine;
  const dockerDirectory = env["DOCKER_CONFIG"] || join(home, ".docker");

  const host = env["DOCKER_HOST"];
  if (host) {
    const tls = () => environmentTls(env, dockerDirectory);
    return [await parseHost(host, "DOCKER_HOST", machine, tls)];
  }

  const context = env["DOCKER_CONTEXT"] || await currentContext(dockerDirectory);
  if (context && context !== "default") {
    const { host, skipVerify, tlsDirectory } = await readContext(dockerDirectory, context);
    const from = `the Docker context "${context}"`;
    const unchecked: Tls | undefined = skipVerify ? { verify: false } : undefined;
    const tls = async () => await readTls(tlsDirectory, !skipVerify) ?? unchecked;
    return [await parseHost(host, from, machine, tls)];
  }
  return usualSockets(machine).map((path) => socket(path, "the usual socket"));
}

function usualSockets({ env, platform, home }: Machine): string[] {
  if (platform === "win32") return [WINDOWS_PIPE];
  const runtime = env["XDG_RUNTIME_DIR"];
  return [
    join(home, ".docker/run/docker.sock"),
    UNIX_SOCKET,
    ...(runtime ? [join(runtime, "docker.sock")] : []),
  ];
}

async function parseHost(
  text: string,
  from: string,
  { platform }: Machine,
  tls: () => Promise<Tls | undefined>,
): Promise<Endpoint> {
  const windows = platform === "win32";
  const host = text.trim();
  // The docker CLI takes a host without a scheme for TCP.
  const [, scheme = "tcp", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(host) ?? [];
  switch (scheme) {
    case "unix":
      return socket(rest || UNIX_SOCKET, from);
    case "npipe":
      return socket(rest || WINDOWS_PIPE, from);
    case "tcp":
    case "http":
    case "https":
      if (host === "") return socket(windows ? WINDOWS_PIPE : UNIX_SOCKET, from);
      return tcp(
        host,
        rest,
        from,
        scheme === "https" ? await tls() ?? { verify: true } : await tls(),
      );
    case "ssh":
      throw new GatewayError(
        "engine_unavailable",
        `Cannot use the Docker engine of ${from}: connections over ssh are not supported, forward its socket with "ssh -NL /tmp/docker.sock:/var/run/docker.sock ${
          rest.split("/")[0]
        }" and set DOCKER_HOST=unix:///tmp/docker.sock`,
      );
    default:
      throw wrongHost(host, from);
  }
}

function socket(path: string, from: string): Endpoint {
  const pipe = path.startsWith("//") || path.startsWith("\\\\");
  return {
    url: `${pipe ? "npipe" : "unix"}://${path}`,
    from,
    connection: { kind: "socket", path },
  };
}

function tcp(host: string, address: string, from: string, tls: Tls | undefined): Endpoint {
  let url: URL;
  try {
    url = new URL(`http://${address}`);
  } catch (cause) {
    throw wrongHost(host, from, cause);
  }
  // The URL parser drops port 80 as the default of http.
  const explicitPort = /:(\d+)(?:\/|$)/.exec(address)?.[1];
  const port = Number(explicitPort ?? (tls === undefined ? 2375 : 2376));
  return {
    url: `tcp://${url.hostname}:${port}`,
    from,
    connection: { kind: "tcp", host: url.hostname, port, ...(tls === undefined ? {} : { tls }) },
  };
}

function wrongHost(host: string, from: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "engine_unavailable",
    `Cannot use ${from}: "${host}" is not an engine's address, write it as unix:///var/run/docker.sock or tcp://127.0.0.1:2375`,
    { cause },
  );
}

/** What `DOCKER_TLS_VERIFY`, `DOCKER_TLS` and `DOCKER_CERT_PATH` ask for. */
async function environmentTls(
  env: Machine["env"],
  dockerDirectory: string,
): Promise<Tls | undefined> {
  const verify = Boolean(env["DOCKER_TLS_VERIFY"]);
  if (!verify && !env["DOCKER_TLS"]) return undefined;
  const named = env["DOCKER_CERT_PATH"];
  const tls = await readTls(named || dockerDirectory, verify);
  if (tls === undefined && named) {
    throw new GatewayError(
      "engine_unavailable",
      "Cannot use the Docker engine of DOCKER_HOST: the folder of DOCKER_CERT_PATH holds no ca.pem, cert.pem or key.pem that can be read",
    );
  }
  return tls ?? { verify };
}

/** Certificates in `directory`, or `undefined` if it holds none. */
async function readTls(directory: string, verify: boolean): Promise<Tls | undefined> {
  const [ca, cert, key] = await Promise.all(
    ["ca.pem", "cert.pem", "key.pem"].map((name) => readOptional(join(directory, name))),
  );
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  return {
    verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
