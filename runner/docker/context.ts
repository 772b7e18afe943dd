/**
 * Docker contexts: named engines that the docker CLI keeps below `~/.docker/contexts`. Colima, OrbStack,
 * Docker Desktop and rootless engines are found this way. Called by endpoint.ts alone.
 *
 *     name → meta/<sha256 of name>/meta.json → Endpoints.docker.Host
 *          → tls/<sha256 of name>/docker/{ca,cert,key}.pem
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";

const cliConfig = v.object({ currentContext: v.optional(v.string(), "") });

const contextMeta = v.object({
  Endpoints: v.object({
    docker: v.object({ Host: v.string(), SkipTLSVerify: v.optional(v.boolean(), false) }),
  }),
});

/** Where a context says that its engine is. */
export interface ContextEndpoint {
  /** As in `DOCKER_HOST`; empty means the default socket. */
  readonly host: string;
  /** Whether the certificate of the engine is not to be checked: the user said so in the context. */
  readonly skipVerify: boolean;
  /** Folder that may hold `ca.pem`, `cert.pem` and `key.pem`. */
  readonly tlsDirectory: string;
}

/** Name of the context that `docker context use` chose, or `""` if it chose none. */
export async function currentContext(dockerDirectory: string): Promise<string> {
  const path = join(dockerDirectory, "config.json");
  const text = await readOptional(path);
  if (text === undefined) return "";
  const parsed = v.safeParse(cliConfig, parseJson(text));
  // The docker CLI warns about a broken file and goes on with its defaults.
  return parsed.success ? parsed.output.currentContext : "";
}

/**
 * Reads the context called `name`.
 *
 * @throws {GatewayError} `engine_unavailable` when there is no such context, or it cannot be read.
 */
export async function readContext(dockerDirectory: string, name: string): Promise<ContextEndpoint> {
  const id = createHash("sha256").update(name).digest("hex");
  const text = await readOptional(join(dockerDirectory, "contexts", "meta", id, "meta.json"));
  if (text === undefined) {
    throw new GatewayError(
      "engine_unavailable",
      `Cannot find the Docker context "${name}": "docker context ls" shows the known ones, choose one with "docker context use" or unset DOCKER_CONTEXT`,
    );
  }
  const parsed = v.safeParse(contextMeta, parseJson(text));
  if (!parsed.success) {
    throw new GatewayError(
      "engine_unavailable",
      `Cannot read the Docker context "${name}": it names no Docker endpoint, choose another with "docker context use"`,
    );
  }
  const { Host, SkipTLSVerify } = parsed.output.Endpoints.docker;
  return {
    host: Host,
    skipVerify: SkipTLSVerify,
    tlsDirectory: join(dockerDirectory, "contexts", "tls", id, "docker"),
  };
}

/** Text of a file that need not exist. A file that may not be read counts as one that does not exist. */
export async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    // Whether it is missing or unreadable, the engine is looked for as if it were not there.
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema that follows refuses `undefined` and the caller says what is wrong.
    return undefined;
  }
}
