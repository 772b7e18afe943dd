import type { JournalEvent } from "../../runner/journal/event.ts";
import { briefMemory, type Era } from "../../runner/server/era.ts";
import type { ServerLists } from "../../runner/server/listed.ts";
import type { ListKind } from "../../runner/server/lists.ts";
import { manageServer } from "../../runner/server/managed.ts";
import type {
  ListMemory,
  ManagedServer,
  ManagedServerContext,
  ServerState,
} from "../../runner/server/managed-server.ts";
import { DEFAULT_LIFE, type Life } from "../../runner/config/life.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { type Behaviour, Pipe, wellBehaved } from "./pipe.ts";
import type { LogLine } from "./server.ts";

/** A managed server named "probe" whose processes are pipes. */
export interface ManagedBench {
  readonly server: ManagedServer;
  readonly clock: FakeClock;
  /** Every process that was started, in order. */
  readonly pipes: readonly Pipe[];
  readonly log: readonly LogLine[];
  readonly journal: readonly JournalEvent[];
  /** What it was said to have changed, each time. */
  readonly told: readonly (readonly ListKind[])[];
  /** Its state each time that something was said to have changed, without repetitions. */
  readonly states: readonly ServerState[];
  /** Processes that have not ended. */
  alive(): readonly Pipe[];
}

/** What a test says of a managed server. */
export interface ManagedOptions {
  readonly life?: Partial<Life>;
  readonly clock?: FakeClock;
  /** How each process behaves, by its number from 1 on. */
  readonly behave?: (nth: number) => Behaviour;
  /** The era that is remembered; modern unless given, so that one process does all. */
  readonly era?: Era | "nothing";
  readonly listMemory?: ListMemory;
  /** Settles when a process has started; may tell of its progress. */
  readonly launched?: (progress: (line: string) => void) => Promise<unknown>;
  readonly more?: Partial<ManagedServerContext>;
}

/** Makes a managed server that nobody has called yet. */
export function openManaged(options: ManagedOptions = {}): ManagedBench {
  const { clock = fakeClock(), behave = () => wellBehaved(), era = "modern" } = options;
  const pipes: Pipe[] = [];
  const log: LogLine[] = [];
  const journal: JournalEvent[] = [];
  const told: (readonly ListKind[])[] = [];
  const states: ServerState[] = [];
  const server = manageServer({
    name: "probe",
    life: { ...DEFAULT_LIFE, ...options.life },
    clock,
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
    journal: { write: (event) => void journal.push(event), close: async () => {} },
    changed: (lists) => {
      told.push(lists);
      if (states.at(-1) !== server.state) states.push(server.state);
    },
    eraMemory: briefMemory(era === "nothing" ? undefined : era),
    ...(options.listMemory && { listMemory: options.listMemory }),
    launch: async (progress) => {
      await options.launched?.(progress);
      const pipe = new Pipe(behave(pipes.length + 1));
      pipes.push(pipe);
      return pipe;
    },
    ...options.more,
  });
  return {
    server,
    clock,
    pipes,
    log,
    journal,
    told,
    states,
    alive: () => pipes.filter(({ ended }) => !ended),
  };
}

/** A memory that is a variable. */
export function listMemory(known?: ServerLists): ListMemory & { kept: ServerLists | undefined } {
  const memory = {
    kept: known,
    get: () => memory.kept,
    set: (lists: ServerLists) => void (memory.kept = lists),
  };
  return memory;
}
