/**
 * What a home is made from; the hub that makes it hands this over.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import type { PageLimits } from "./page.ts";
import type { Store } from "../store/store.ts";

/** What a home needs of the process that it lives in. */
export interface HomeContext {
  readonly tunnel: string;
  /** Keeps what must outlive the process: session key, ended sessions, what runners offer. */
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** How much a page of a list holds; PAGE_LIMITS unless given. */
  readonly pageLimits?: PageLimits;
}
