/**
 * Catalogs from the web, kept in the state directory: fetched at most once a day, revalidated by ETag,
 * and good for as long as nothing newer can be fetched.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { replaceFile } from "../local/atomic-file.ts";

/** Largest accepted catalog, in bytes: nothing else goes on while it is parsed. Docker's has some 2 MiB. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Longest wait for a whole catalog, in milliseconds. */
const TIMEOUT_MS = 30_000;

/** How long a copy is taken without asking, in milliseconds. */
const FRESH_MS = 24 * 3_600_000;

const MAX_REDIRECTS = 5;

const kept = v.object({
  url: v.string(),
  fetchedMs: v.number(),
  etag: v.optional(v.string()),
  text: v.string(),
});
type Kept = v.InferOutput<typeof kept>;

/** What downloads are made with. */
export interface Downloads {
  /** State directory; copies are in `catalogs` of it. */
  readonly home: string;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A downloaded text. */
export interface Download {
  readonly text: string;
  /** When it was fetched, in milliseconds since the epoch. */
  readonly fetchedMs: number;
  /** Why it is not newer, if a newer one was wanted. */
  readonly stale?: string;
}

/** How a download is asked for. */
export interface DownloadOptions {
  /** Ask the server whatever the age of the copy. */
  readonly refresh?: boolean;
  /** What it is, in the message when there is none. */
  readonly what: string;
}

/**
 * The text at an https URL.
 *
 * @throws {GatewayError} `config_invalid` when it cannot be fetched and no copy is there; also when the
 *   server says that there is no such thing.
 */
export async function download(
  url: string,
  downloads: Downloads,
  { refresh = false, what }: DownloadOptions,
): Promise<Download> {
  const path = join(downloads.home, "catalogs", `${hashOf(url)}.json`);
  const copy = await readCopy(path, url);
  const nowMs = downloads.now();
  // A clock that was set back must not keep a copy for ever.
  const isFresh = copy !== undefined && Math.abs(nowMs - copy.fetchedMs) < FRESH_MS;
  if (isFresh && !refresh) return copy;
  try {
    const answer = await fetchText(url, downloads.fetch, copy?.etag);
    const text = answer.text ?? copy?.text;
    if (text === undefined) throw new Error("it says that an unknown copy has not changed");
    const etag = answer.etag ?? copy?.etag;
    const fetched: Kept = { url, fetchedMs: nowMs, text, ...(etag !== undefined && { etag }) };
    await keep(path, fetched, downloads.home);
    return fetched;
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    const why = reasonOf(cause);
    if (copy !== undefined) return { ...copy, stale: why };
    throw new GatewayError(
      "config_invalid",
      `Cannot read ${what}: ${
        new URL(url).host
      } gives none (${why}) and no copy is on this machine, try again when it can be reached`,
      { cause },
    );
  }
}

function hashOf(url: string): string {
  return createHash("sha256").update(url).digest("hex").slice(0, 32);
}

async function readCopy(path: string, url: string): Promise<Kept | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    const parsed = v.safeParse(kept, JSON.parse(text));
    return parsed.success && parsed.output.url === url ? parsed.output : undefined;
  } catch {
    // A damaged copy is none.
    return undefined;
  }
}

async function keep(path: string, copy: Kept, home: string): Promise<void> {
  try {
    await mkdir(join(home, "catalogs"), { recursive: true, mode: 0o700 });
    await replaceFile(path, JSON.stringify(copy));
  } catch {
    // A disk that is full or read-only costs the copy, not the catalog.
  }
}

interface Answer {
  /** Undefined: the copy is still right. */
  readonly text: string | undefined;
  readonly etag: string | undefined;
}

async function fetchText(
  url: string,
  fetcher: typeof fetch,
  etag: string | undefined,
): Promise<Answer> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let at = new URL(url);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    if (at.protocol !== "https:") throw new Error("it redirects to a URL that is not encrypted");
    const response = await fetcher(at, {
      signal,
      redirect: "manual",
      headers: {
        accept: "application/json, application/yaml, text/plain, */*",
        ...(etag !== undefined && { "if-none-match": etag }),
      },
    });
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      at = new URL(location, at);
      continue;
    }
    if (response.status === 304 && etag !== undefined) {
      await response.body?.cancel();
      return { text: undefined, etag };
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new NotFetched(response.status);
    }
    const text = await boundedText(response);
    const tag = response.headers.get("etag") ?? undefined;
    return { text, etag: tag };
  }
  throw new Error("it redirects in circles");
}

/** A server that answered, with something else than was asked for. */
export class NotFetched extends Error {
  override readonly name = "NotFetched";
  readonly status: number;

  constructor(status: number) {
    super(`HTTP status ${status}`);
    this.status = status;
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (part === undefined || part.done) break;
    length += part.value.length;
    if (length > MAX_BYTES) {
      await reader?.cancel();
      throw new Error(`it has more than ${MAX_BYTES} bytes`);
    }
    chunks.push(part.value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error("it is not UTF-8", { cause });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error;
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code ?? error.message;
}
