import type { Clock } from "../../src/clock.ts";
import type { HeldBytes } from "./held-bytes.ts";
import type { HttpClient } from "./http-client.ts";
import type { Traffic } from "./traffic.ts";

/** What every way to speak to an upstream needs. */
export interface UpstreamContext {
  readonly http: HttpClient;
  readonly traffic: Traffic;
  readonly clock: Clock;
  /** `sse` when nothing but HTTP+SSE is to be spoken. */
  readonly transport: "sse" | undefined;
  readonly held: HeldBytes;
  /** Aborts when the upstream is to be left alone. */
  readonly signal: AbortSignal;
  /** The session with the upstream has ended, and it was not us. */
  readonly ended: () => void;
}
