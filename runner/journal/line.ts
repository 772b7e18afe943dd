import type { JournalEvent } from "./event.ts";
import type { Shape } from "./shape.ts";

/** When and by whom an event was written. */
export interface Envelope {
  /** Id of the process that wrote it, new with every start. */
  readonly boot: string;
  /** Id under which workers know the runner; undefined for one that serves no worker. */
  readonly runner?: string | undefined;
  /** Counts the events of this process from 1; one that is missing was lost. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** What a line may say in words of others, and is cleaned of secrets. */
const WORDS = ["message", "tool", "host", "reason"] as const;

/** Longest of them, in UTF-16 code units. */
const MAX_WORDS = 2_048;

/** What else belongs to a line. */
export interface LineOptions {
  /** Shape of the arguments, if the event is of a call. */
  readonly args?: Shape | undefined;
  readonly redact?: ((text: string) => string) | undefined;
}

/**
 * The line of an event: JSON, with its line feed. `prev` and `hash` of a later hash chain would stand after
 * `boot`: readers ignore members that they do not know, and a writer has its file to itself, so that each
 * line can name the one before.
 */
export function journalLine(
  { boot, runner, seq, time }: Envelope,
  event: JournalEvent,
  { args, redact = (text) => text }: LineOptions = {},
): string {
  // Put together as text: every call pays for this, and copies of objects cost most of it.
  const id = `${boot.slice(0, 8)}-${seq}`;
  const of = runner === undefined ? "" : `,"runner":${JSON.stringify(runner)}`;
  const shape = args === undefined ? "" : `,"args":${JSON.stringify(args)}`;
  const said = JSON.stringify(clean(event, redact)).slice(1, -1);
  return `{"v":1,"seq":${seq},"time":"${
    isoTime(time)
  }","id":"${id}","boot":"${boot}"${of},${said}${shape}}\n`;
}

/** The event with its words cleaned and cut; the same if there is nothing to do. */
function clean(event: JournalEvent, redact: (text: string) => string): JournalEvent {
  let cleaned = event;
  for (const name of WORDS) {
    const words: unknown = name in event ? event[name as keyof JournalEvent] : undefined;
    if (typeof words !== "string") continue;
    const safe = redact(words).slice(0, MAX_WORDS);
    if (safe !== words) cleaned = { ...cleaned, [name]: safe };
  }
  return cleaned;
}

let lastTime = NaN;
let lastText = "";

/** The time in ISO 8601; most lines are of the same millisecond as the one before. */
function isoTime(time: number): string {
  if (time !== lastTime) {
    lastTime = time;
    lastText = new Date(time).toISOString();
  }
  return lastText;
}
