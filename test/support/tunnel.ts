import { Tunnel } from "../../runner/tunnel/tunnel.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import { HELLO } from "./connection.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { FakeWire, WELCOME } from "./fake-wire.ts";
import { type GatewayBench, openGateway } from "./gateway.ts";
import type { LogLine } from "./server.ts";
import { settled } from "./settled.ts";

/** A dial that waits for the test. */
export interface FakeDial {
  /** Lets it succeed, and gives the worker's end. */
  open(): Promise<FakeWire>;
  /** Lets it succeed, with a welcome. */
  welcome(): Promise<FakeWire>;
  fail(error: Error): Promise<void>;
}

/** A tunnel whose dials are in the hands of the test. */
export interface TunnelBench extends Pick<GatewayBench, "gateway" | "servers"> {
  readonly tunnel: Tunnel;
  readonly clock: FakeClock;
  readonly log: readonly LogLine[];
  /** Every dial so far. */
  readonly dials: readonly FakeDial[];
  /** Names of tunnels, one for each welcome. */
  readonly welcomed: readonly string[];
  /** How the tunnel has ended: "closed", or the code and text of its error. */
  readonly outcome: () => string | undefined;
  /** The waits between dials so far, in milliseconds. */
  readonly waits: readonly number[];
}

const DIAL = { origin: "https://worker.example", token: "mcpr_tunnel_x" };

/** Opens a tunnel, which has begun to dial. */
export async function openTunnel(): Promise<TunnelBench> {
  const clock = fakeClock();
  const { gateway, servers } = openGateway();
  await gateway.start();
  const log: LogLine[] = [];
  const dials: FakeDial[] = [];
  const welcomed: string[] = [];
  const waits: number[] = [];
  let outcome: string | undefined;
  const tunnel = new Tunnel({
    dial: DIAL,
    hello: HELLO,
    gateway,
    // Its connections have timers of their own, which are none of its waits.
    clock: {
      now: () => clock.now(),
      after: (ms, run) => {
        if (dials.length > 0 && ms !== 10_000 && ms !== 12_000) waits.push(ms);
        return clock.after(ms, run);
      },
    },
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
    welcomed: (name) => void welcomed.push(name),
  }, (_, open) => fakeDial(dials, open));
  tunnel.ended.then(
    () => outcome = "closed",
    (error: { code?: string; message: string }) => outcome = `${error.code} ${error.message}`,
  );
  await settled();
  return { tunnel, gateway, servers, clock, log, dials, welcomed, waits, outcome: () => outcome };
}

function fakeDial(dials: FakeDial[], open: (wire: Wire) => WireEvents): Promise<void> {
  return new Promise((resolve, reject) => {
    const dial: FakeDial = {
      open: async () => {
        const wire = new FakeWire();
        wire.events = open(wire);
        resolve();
        await settled();
        return wire;
      },
      welcome: async () => {
        const wire = await dial.open();
        wire.say(WELCOME);
        await settled();
        return wire;
      },
      fail: async (error) => {
        reject(error);
        await settled();
      },
    };
    dials.push(dial);
  });
}
