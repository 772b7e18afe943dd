/**
 * Tells what a server tried in vain: at once the first time, then at most once a minute with the number of
 * times. It remembers a bounded number of places, however many a server thinks up.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { printable } from "../../src/log.ts";
import type { EgressEvent } from "../journal/event.ts";

/** A place that was refused. */
export interface Refusal {
  readonly host: string;
  readonly port?: number | undefined;
  readonly reason: string;
  readonly count?: number | undefined;
}

/** How long the same is not told again, in milliseconds. */
const QUIET_MS = 60_000;

/** Places that are kept apart; all others of one reason are one. */
const MAX_PLACES = 64;

/** Longest host and reason that are told, in characters. */
const MAX_TEXT = 255;

/** Takes refusals; see the module. */
export interface BlockedReport {
  add(refusal: Refusal): void;
  /** Tells what was only counted so far, and stops. */
  close(): void;
}

/** A report on `server` to `tell`. */
export function createBlockedReport(
  server: string,
  clock: Clock,
  tell: (event: EgressEvent) => void,
): BlockedReport {
  interface Place extends Refusal {
    untold: number;
    cancel: () => void;
  }
  const places = new Map<string, Place>();

  function report({ host, port, reason }: Refusal, count: number): void {
    tell({ type: "egress_blocked", server, host, port, reason, count });
  }

  function wait(key: string, place: Place): void {
    place.cancel = clock.after(QUIET_MS, () => {
      if (place.untold === 0) return void places.delete(key);
      report(place, place.untold);
      place.untold = 0;
      wait(key, place);
    });
  }

  return {
    add({ count = 1, ...refusal }) {
      const known = {
        host: printable(refusal.host).slice(0, MAX_TEXT),
        port: refusal.port,
        reason: printable(refusal.reason).slice(0, MAX_TEXT),
      };
      let key = JSON.stringify(Object.values(known));
      if (!places.has(key) && places.size >= MAX_PLACES) {
        // Reasons are ours, so that there are few of them.
        [known.host, known.port] = ["(others)", undefined];
        key = JSON.stringify(Object.values(known));
      }
      const place = places.get(key);
      if (place !== undefined) {
        place.untold += count;
        return;
      }
      const fresh = { ...known, untold: 0, cancel: () => {} };
      places.set(key, fresh);
      wait(key, fresh);
      report(known, count);
    },
    close() {
      for (const place of places.values()) {
        place.cancel();
        if (place.untold > 0) report(place, place.untold);
      }
      places.clear();
    },
  };
}
