import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallEvent } from "../../runner/journal/event.ts";
import { journalFolder } from "../../runner/journal/folder.ts";
import {
  type JournalFile,
  type JournalOptions,
  openJournal,
} from "../../runner/journal/journal-file.ts";
import { JournalReader } from "../../runner/journal/journal-reader.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import type { LogLine } from "./server.ts";

/** Two processes, as `Owner.id` names them. */
export const ADA = "aaaaaaaa-0000-4000-8000-000000000000";
export const BOB = "bbbbbbbb-0000-4000-8000-000000000000";

/** A state directory of a test, with a call log. */
export interface JournalBench extends AsyncDisposable {
  readonly home: string;
  readonly folder: string;
  readonly clock: FakeClock;
  readonly log: readonly LogLine[];
  /** Opens the call log of a process, of `ADA` unless given; all others have ended unless said otherwise. */
  open(options?: Partial<JournalOptions>): Promise<JournalFile>;
  /** Names of the files. */
  files(): Promise<readonly string[]>;
  /** What all files hold, file by file in the order of their names. */
  text(): Promise<string>;
  /** The `call` of every call event, as a reader of all files sees them. */
  calls(reader?: JournalReader): Promise<readonly string[]>;
}

/** Makes a state directory without a call log. */
export async function journalBench(): Promise<JournalBench> {
  const home = await mkdtemp(join(tmpdir(), "mcp-runner-journal-"));
  const folder = journalFolder(home);
  const clock = fakeClock();
  const log: LogLine[] = [];
  const files = async () => (await readdir(folder)).toSorted();
  return {
    home,
    folder,
    clock,
    log,
    files,
    open: (options = {}) =>
      openJournal({
        home,
        owner: ADA,
        clock,
        log: (level, message, fields = {}) => void log.push({ level, message, fields }),
        isAlive: async () => false,
        ...options,
      }),
    text: async () => {
      const texts = (await files()).map((name) => readFile(join(folder, name), "utf8"));
      return (await Promise.all(texts)).join("");
    },
    calls: (reader = new JournalReader(folder)) => callsOf(reader),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

/** The `call` of every call event that has come since the reader's last pass. */
export async function callsOf(reader: JournalReader): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const bunch of reader.news()) {
    for (const { text } of bunch) {
      const { type, call } = JSON.parse(text) as { type: string; call: string };
      if (type === "call") found.push(call);
    }
  }
  return found;
}

/** A call that went well, with `call` as its id. */
export function callEvent(call: string, more: Partial<CallEvent> = {}): CallEvent {
  return {
    type: "call",
    call,
    client: "c_1",
    method: "tools/call",
    server: "everything",
    tool: "echo",
    outcome: "ok",
    executed: "yes",
    ms: { queue: 0, start: 0, server: 1, total: 1 },
    size: 40,
    ...more,
  };
}

/** `count` ids of calls, from `first`. */
export function ids(count: number, first = 1): readonly string[] {
  return Array.from({ length: count }, (_, n) => String(first + n));
}
