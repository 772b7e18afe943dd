import { Server } from "../../runner/server/server.ts";
import { briefMemory, type Era, type EraMemory } from "../../runner/server/era.ts";
import type { ListKind } from "../../runner/server/lists.ts";
import type { Fields, Level } from "../../src/log.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { type Behaviour, Pipe, wellBehaved } from "./pipe.ts";

/** A line that a server has logged. */
export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly fields: Fields;
}

/** A server named "probe" whose processes are pipes. */
export interface Bench {
  readonly server: Server;
  readonly clock: FakeClock;
  /** Every process that was started, in order. */
  readonly pipes: readonly Pipe[];
  readonly log: readonly LogLine[];
  /** How often the server said that it has changed. */
  readonly changes: () => number;
  /** The kinds of list that it said have changed, of each time. */
  readonly told: readonly (readonly ListKind[])[];
}

/** How its processes behave: each start asks anew. */
export interface BenchOptions {
  readonly name?: string;
  readonly clock?: FakeClock;
  readonly behave?: () => Behaviour;
  /** The era that is remembered; legacy unless given, so that nothing is asked before `initialize`. */
  readonly remembered?: Era | "nothing";
  /** In place of one that remembers that. */
  readonly memory?: EraMemory;
  /** Gets each process before the server does. */
  readonly prepare?: (pipe: Pipe) => void;
  /** Settles when the process has started; at once unless given. */
  readonly launched?: () => Promise<unknown>;
}

/** Makes a server that nobody has called yet. */
export function openServer(options: BenchOptions = {}): Bench {
  const { name = "probe", clock = fakeClock(), behave = () => wellBehaved() } = options;
  const { remembered = "legacy" } = options;
  const pipes: Pipe[] = [];
  const log: LogLine[] = [];
  const told: (readonly ListKind[])[] = [];
  const server = new Server({
    name,
    clock,
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
    changed: (lists) => void told.push(lists),
    eraMemory: options.memory ?? briefMemory(remembered === "nothing" ? undefined : remembered),
    launch: async () => {
      await options.launched?.();
      const pipe = new Pipe(behave());
      options.prepare?.(pipe);
      pipes.push(pipe);
      return pipe;
    },
  });
  return { server, clock, pipes, log, told, changes: () => told.length };
}
