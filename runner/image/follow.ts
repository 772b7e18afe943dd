/**
 * Follows what the engine says while it pulls, imports or builds an image: one JSON object a line, of which
 * any may be the error. Called by pull.ts, base-image.ts and npm-image.ts.
 *
 * @module
 */
import type { Readable } from "node:stream";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { engineError, EngineRefusal } from "../docker/deadline.ts";
import { LineSplitter } from "../docker/lines.ts";

const message = v.object({
  /** Pull and import: what happens, as `Downloading`; import: at last the id of the image. */
  status: v.optional(v.string()),
  /** Pull: the layer. */
  id: v.optional(v.string()),
  progressDetail: v.optional(v.object({
    current: v.optional(v.number()),
    total: v.optional(v.number()),
  })),
  /** Build: the id of the image, once it is made. */
  aux: v.optional(v.object({ ID: v.optional(v.string()) })),
  error: v.optional(v.string()),
});

/** One message of the engine about its work. */
export type Message = v.InferOutput<typeof message>;

/** Why the engine failed, and what to do if that is known. */
export function reasonOf({ reason }: EngineRefusal): string {
  return /no space left/i.test(reason)
    ? 'the disk of the engine is full, free some with "docker system prune"'
    : reason;
}

/** What to follow. */
export interface Work {
  /** Completes "Cannot …" in messages. */
  readonly what: string;
  /** Longest wait for the first message, in milliseconds; `silenceMs` if absent. */
  readonly firstMs?: number;
  /** Longest silence of the engine, in milliseconds; it may say nothing while it takes an upload. */
  readonly silenceMs: number;
  /** Sends the request, with the signal as its `abortSignal`. */
  readonly open: (abortSignal: AbortSignal) => Promise<NodeJS.ReadableStream>;
  readonly onMessage: (message: Message) => void;
}

/**
 * Resolves when the engine has finished.
 *
 * @throws {EngineRefusal} when it says that it failed; status 0 if it said so in the middle of the work.
 * @throws {GatewayError} `engine_unavailable` when it falls silent or goes away.
 */
export async function follow(work: Work): Promise<void> {
  const { what, firstMs, silenceMs, open, onMessage } = work;
  const controller = new AbortController();
  let patience = firstMs ?? silenceMs;
  const wait = () => setTimeout(() => controller.abort(), patience);
  let timer = wait();
  let failure: string | undefined;
  const lines = new LineSplitter({
    maxBytes: 1024 * 1024,
    tooLong: "cut",
    onLine(line) {
      const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), message), line);
      if (!parsed.success) return;
      failure ??= parsed.output.error;
      onMessage(parsed.output);
    },
  });
  try {
    const stream = await open(controller.signal) as Readable;
    controller.signal.addEventListener("abort", () => stream.destroy(new Error("Silent")));
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      patience = silenceMs;
      timer = wait();
      lines.push(chunk);
    }
    lines.end();
  } catch (cause) {
    if (!controller.signal.aborted) throw engineError(what, cause);
    throw new GatewayError(
      "engine_unavailable",
      `Cannot ${what}: the Docker engine has said nothing for ${patience / 1000} s, try again`,
      { cause },
    );
  } finally {
    clearTimeout(timer);
  }
  if (failure !== undefined) throw new EngineRefusal(0, failure.trim().replace(/\s+/g, " "));
}
