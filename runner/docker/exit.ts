/**
 * Sees the end of a container, with the reason that only the engine knows. Called by container.ts before
 * the start, so that nothing is missed.
 *
 *     GET  /events  oom, kill, die                the engine forgets them once it has removed it
 *     POST /wait    until it is removed           the exit code
 *
 * @module
 */
import type { Readable } from "node:stream";
import * as v from "valibot";
import { QUICK_MS, withDeadline } from "./deadline.ts";
import type { Engine } from "./engine.ts";
import { LineSplitter } from "./lines.ts";
import { within } from "./within.ts";

/** How a container ended. */
export interface Gone {
  /** Exit code of the server; `null` when nobody can tell. */
  readonly code: number | null;
  /** Whether the kernel killed a process of it at the memory limit. */
  readonly oomKilled: boolean;
  /** Whether the engine was asked to end it: by us, or by somebody with `docker stop`, `kill` or `rm`. */
  readonly signalled: boolean;
  /** Whether its processes have ended; if not, the engine can no longer be asked. */
  readonly ended: boolean;
  /** Whether the engine has removed it. */
  readonly removed: boolean;
}

/** Watches one container. */
export interface ExitWatch {
  /** Resolves when the last process has ended, or with `gone`. */
  readonly ended: Promise<unknown>;
  /** Resolves once the container is gone, or once nobody can tell; never rejects. */
  readonly gone: Promise<Gone>;
  /** Stops watching; `gone` resolves if it has not. */
  close(): void;
}

/** How long the engine may take from the end of the last process to the removal, in milliseconds. */
const REMOVAL_MS = 10_000;

/** How long the events of a removed container may be late, in milliseconds. */
const LATE_EVENT_MS = 500;

/** Signals that end containers: SIGINT, SIGQUIT, SIGKILL, SIGTERM. Others are messages to the server. */
const ENDING: ReadonlySet<string | undefined> = new Set(["2", "3", "9", "15"]);

const event = v.object({
  Action: v.string(),
  Actor: v.object({ Attributes: v.nullish(v.record(v.string(), v.string()), {}) }),
});
const exitCode = v.pipe(v.string(), v.digits(), v.transform(Number));
const waitAnswer = v.object({ StatusCode: v.number() });
const noSuchContainer = v.object({ statusCode: v.literal(404) });

/** Starts to watch a container that exists and has not been started. */
export async function watchExit(engine: Engine, id: string): Promise<ExitWatch> {
  const closing = new AbortController();
  const closed = new Promise<void>((resolve) => {
    closing.signal.addEventListener("abort", () => resolve());
  });
  const events = await watchEvents(engine, id);
  let code: number | null = null;
  let isRemoved = false;
  const removed = engine.docker.getContainer(id)
    .wait({ condition: "removed", abortSignal: closing.signal })
    .then((answer: unknown) => {
      if (v.is(waitAnswer, answer)) code = answer.StatusCode;
      isRemoved = true;
    }, (error: unknown) => {
      isRemoved = v.is(noSuchContainer, error);
    });

  async function watch(): Promise<Gone> {
    await Promise.race([removed, events.died, closed]);
    // The engine is about to remove it; if the events end before that, the engine is ending itself.
    if (!isRemoved) await within(REMOVAL_MS, Promise.race([removed, events.over, closed]));
    if (isRemoved) await within(LATE_EVENT_MS, Promise.race([events.died, events.over]));
    closing.abort();
    events.close();
    const seen = events.seen();
    const ended = isRemoved || seen.died;
    const { oom: oomKilled, signalled } = seen;
    return { code: code ?? seen.code, oomKilled, signalled, ended, removed: isRemoved };
  }
  const gone = watch();
  return { ended: Promise.race([events.died, gone]), gone, close: () => closing.abort() };
}

/** What the events of one container have told. */
interface Seen {
  died: boolean;
  code: number | null;
  oom: boolean;
  signalled: boolean;
}

async function watchEvents(engine: Engine, id: string) {
  const filters = { container: [id], event: ["oom", "kill", "die"] };
  const stream = await withDeadline(
    "watch a container",
    QUICK_MS,
    (abortSignal) => engine.docker.getEvents({ filters, abortSignal }),
  ) as Readable;
  const seen: Seen = { died: false, code: null, oom: false, signalled: false };
  const died = new Promise<void>((resolve) => {
    const lines = new LineSplitter({
      maxBytes: 64 * 1024,
      tooLong: "cut",
      onLine(line) {
        const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), event), line);
        if (!parsed.success) return;
        const { Action, Actor } = parsed.output;
        if (Action === "oom") seen.oom = true;
        if (Action === "kill") seen.signalled ||= ENDING.has(Actor.Attributes["signal"]);
        if (Action !== "die") return;
        const code = v.safeParse(exitCode, Actor.Attributes["exitCode"]);
        seen.died = true;
        seen.code = code.success ? code.output : null;
        resolve();
      },
    });
    stream.on("data", (chunk: Uint8Array) => lines.push(chunk));
  });
  const over = new Promise<void>((resolve) => {
    // "close" follows. Without events an out-of-memory kill is told as exit code 137 only.
    stream.on("error", () => {});
    stream.on("close", () => resolve());
  });
  return { died, over, seen: () => seen, close: () => stream.destroy() };
}
