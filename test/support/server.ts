import { Server } from "../../runner/server/server.ts";
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
}

/** How its processes behave: each start asks anew. */
export interface BenchOptions {
  readonly name?: string;
  readonly clock?: FakeClock;
  readonly behave?: () => Behaviour;
  /** Gets each process before the server does. */
  readonly prepare?: (pipe: Pipe) => void;
  /** Settles when the process has started; at once unless given. */
  readonly launched?: () => Promise<unknown>;
}

/** Makes a server that nobody has called yet. */
export function openServer(options: BenchOptions = {}): Bench {
  const { name = "probe", clock = fakeClock(), behave = () => wellBehaved() } = options;
  const pipes: Pipe[] = [];
  const log: LogLine[] = [];
  let changes = 0;
  const server = new Server({
    name,
    clock,
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
    changed: () => void changes++,
    launch: async () => {
      await options.launched?.();
      const pipe = new Pipe(behave());
      options.prepare?.(pipe);
      pipes.push(pipe);
      return pipe;
    },
  });
  return { server, clock, pipes, log, changes: () => changes };
}
