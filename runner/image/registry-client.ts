/**
 * Reads small things from an image registry (OCI Distribution 1.1): the signatures of images. Layers are
 * the engine's business. The registry is not trusted: every answer is bounded in time and size, and a blob
 * counts only if it is what its digest says. Called by signature-source.ts.
 *
 * @module
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import type { ImageName } from "./reference.ts";
import { type Credentials, findCredentials } from "./registry-credentials.ts";

/** A registry could not be asked. The message holds nothing secret. */
export class RegistryFailure extends Error {
  override readonly name = "RegistryFailure";
}

/** One repository of a registry. */
export interface Registry {
  /** A manifest by tag or digest; `undefined` if there is none. */
  manifest(reference: string): Promise<unknown>;
  /** A blob; `undefined` if there is none, or it is not what its digest says. */
  blob(digest: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** The index of manifests that refer to a digest; `undefined` if there is none. */
  referrers(digest: string): Promise<unknown>;
}

/** Longest wait for one answer, in milliseconds. */
const ANSWER_MS = 15_000;

/** Longest wait for all that is asked of one registry, in milliseconds. */
const TOTAL_MS = 60_000;

/** Largest manifest, in bytes (OCI Distribution: registries must take 4 MiB). */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Largest answer of a token server, in bytes. */
const MAX_TOKEN_BYTES = 64 * 1024;

const MAX_REDIRECTS = 4;

const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const tokenAnswer = v.object({
  token: v.optional(v.string()),
  access_token: v.optional(v.string()),
});

/** Hosts to which engines speak plain HTTP. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/;

/**
 * The repository of an image, with what docker knows as its login.
 *
 * @param totalMs Milliseconds until nothing more is waited for; what is asked afterwards fails.
 */
export function openRegistry(
  { host, repository }: ImageName,
  totalMs: number = TOTAL_MS,
): Registry {
  const given = AbortSignal.timeout(totalMs);
  const isLocal = LOOPBACK.test(host);
  const server = host === "docker.io" ? "registry-1.docker.io" : host;
  const base = `${isLocal ? "http" : "https"}://${server}/v2/${repository}`;
  let authorization: string | undefined;

  async function get(path: string, accept: string): Promise<Response | undefined> {
    let response = await request(`${base}/${path}`, { accept, authorization, isLocal, given });
    if (response.status === 401) {
      const challenge = response.headers.get("www-authenticate") ?? "";
      await response.body?.cancel();
      const credentials = await findCredentials(host);
      const login = { repository, credentials, isLocal, given };
      authorization = await authorize(challenge, login);
      response = await request(`${base}/${path}`, { accept, authorization, isLocal, given });
    }
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    const why: Readonly<Record<number, string>> = {
      401: 'it asks for a login, use "docker login"',
      403: 'it refuses this login, use "docker login"',
      429: "it allows no more requests for now",
    };
    throw new RegistryFailure(why[response.status] ?? `HTTP ${response.status}`);
  }

  async function json(path: string): Promise<unknown> {
    const response = await get(path, MANIFEST_TYPES);
    return response && parseJson(await readBytes(response, MAX_MANIFEST_BYTES));
  }

  return {
    manifest: (reference) => json(`manifests/${reference}`),
    async referrers(digest) {
      // Registries without the endpoint keep the same index under a tag.
      return await json(`referrers/${digest}`) ??
        await json(`manifests/${digest.replace(":", "-")}`);
    },
    async blob(digest, maxBytes) {
      const response = await get(`blobs/${digest}`, "*/*");
      const bytes = response && await readBytes(response, maxBytes);
      if (bytes === undefined) return undefined;
      const actual = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      return actual === digest ? bytes : undefined;
    },
  };
}

interface Access {
  readonly accept: string;
  readonly authorization: string | undefined;
  /** Whether plain HTTP to this machine is fine. */
  readonly isLocal: boolean;
  /** Ends the wait for the registry as a whole. */
  readonly given: AbortSignal;
}

/** Sends a GET and follows redirections, taking the login along only where it belongs. */
async function request(
  url: string,
  { accept, authorization, isLocal, given }: Access,
): Promise<Response> {
  const signal = AbortSignal.any([AbortSignal.timeout(ANSWER_MS), given]);
  let at = new URL(url);
  const { origin } = at;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const isPlain = at.protocol === "http:" && isLocal && LOOPBACK.test(at.host);
    if (at.protocol !== "https:" && !isPlain) {
      throw new RegistryFailure("it leads to an address without https");
    }
    const headers = {
      accept,
      ...(authorization !== undefined && at.origin === origin && { authorization }),
    };
    const response = await fetch(at, { headers, signal, redirect: "manual" })
      .catch((cause: unknown) => {
        throw new RegistryFailure(reasonOf(cause), { cause });
      });
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    await response.body?.cancel();
    if (!URL.canParse(location, at)) break;
    at = new URL(location, at);
  }
  throw new RegistryFailure("its redirections lead nowhere");
}

/** The header that answers a challenge (RFC 9110 §11.6.1); a Bearer token is fetched for it. */
async function authorize(
  challenge: string,
  { repository, credentials, isLocal, given }: Pick<Access, "isLocal" | "given"> & {
    readonly repository: string;
    readonly credentials: Credentials | undefined;
  },
): Promise<string | undefined> {
  const basic = credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;
  if (!/^bearer /i.test(challenge)) return basic;
  const parameter = (name: string) => new RegExp(`[ ,]${name}="([^"]*)"`, "i").exec(challenge)?.[1];
  const realm = parameter("realm") ?? "";
  if (!URL.canParse(realm)) throw new RegistryFailure("it asks for a login in a way unknown");
  const url = new URL(realm);
  const service = parameter("service");
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.set("scope", parameter("scope") ?? `repository:${repository}:pull`);
  const response = await request(url.href, {
    accept: "application/json",
    authorization: basic,
    isLocal,
    given,
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new RegistryFailure('it asks for a login, use "docker login"');
  }
  const answer = parseJson(await readBytes(response, MAX_TOKEN_BYTES));
  const parsed = v.safeParse(tokenAnswer, answer);
  const token = parsed.success ? parsed.output.token ?? parsed.output.access_token : undefined;
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw new RegistryFailure("its token server makes no sense");
  }
  return `Bearer ${token}`;
}

async function readBytes(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      // Leaving the loop cancels the body.
      if (length > maxBytes) throw new RegistryFailure(`it sends more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof RegistryFailure) throw cause;
    throw new RegistryFailure(reasonOf(cause), { cause });
  }
  return Buffer.concat(chunks);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Whoever reads it finds that it is no manifest.
    return undefined;
  }
}

const systemError = v.object({ code: v.string() });

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "no connection";
  if (error.name === "TimeoutError") {
    return `no answer within ${ANSWER_MS / 1000} s, or not all within ${TOTAL_MS / 1000} s`;
  }
  const parsed = v.safeParse(systemError, error.cause);
  return parsed.success ? parsed.output.code : "no connection";
}
