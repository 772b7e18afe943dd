import { Connection } from "../../runner/tunnel/connection.ts";
import type { HeaderOf } from "../../src/tunnel/frame.ts";
import { FakeWire, WELCOME } from "./fake-wire.ts";
import { type GatewayBench, openGateway, type ServerOptions } from "./gateway.ts";

/** What the runner of these tests says of itself. */
export const HELLO: HeaderOf<"hello"> = {
  type: "hello",
  runner: { id: "runner-1", machine: "ada", os: "linux", version: "0.0.0" },
  boot: "boot-1",
  features: [],
  maxCalls: 256,
};

/** A connection over a fake wire, in front of servers that are pipes. */
export interface ConnectionBench extends GatewayBench {
  readonly wire: FakeWire;
  readonly connection: Connection;
  /** Names of the tunnels that the worker has welcomed the runner to. */
  readonly welcomed: readonly string[];
  /** The close codes that the owner has been told. */
  readonly ended: readonly number[];
  /** Timers of the connection that run; servers have their own. */
  timers(): number;
  /** Welcomes the runner, on these conditions. */
  welcome(more?: Partial<HeaderOf<"welcome">>): void;
}

/** Opens a connection that has said hello; its servers are ready. */
export async function openConnection(
  servers?: Readonly<Record<string, ServerOptions>>,
): Promise<ConnectionBench> {
  const bench = openGateway(servers);
  await bench.gateway.start();
  const wire = new FakeWire();
  const timers = new Set<object>();
  const welcomed: string[] = [];
  const ended: number[] = [];
  const log: GatewayBench["log"][number][] = [];
  const connection = new Connection(wire, {
    hello: HELLO,
    gateway: bench.gateway,
    clock: {
      now: () => bench.clock.now(),
      after: (ms, run) => {
        const timer = { run };
        timers.add(timer);
        const cancel = bench.clock.after(ms, () => {
          timers.delete(timer);
          run();
        });
        return () => {
          timers.delete(timer);
          cancel();
        };
      },
    },
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
    welcomed: (tunnel) => void welcomed.push(tunnel),
    ended: (code) => void ended.push(code),
  });
  wire.events = connection.events;
  return {
    ...bench,
    log,
    wire,
    connection,
    welcomed,
    ended,
    timers: () => timers.size,
    welcome: (more = {}) => wire.say({ ...WELCOME, ...more }),
  };
}
