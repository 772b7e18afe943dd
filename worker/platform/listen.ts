/**
 * What a runtime must do to serve the app on an address.
 *
 * @module
 */
import type { AppBindings } from "../app.ts";
import type { Limits } from "./limits.ts";

/** The app as a platform calls it. */
export type Fetch = (request: Request, bindings: AppBindings) => Response | Promise<Response>;

/** A server that listens. */
export interface Listening {
  readonly port: number;
  /** Closes every connection and stops listening. */
  close(): Promise<void>;
}

/** Listens on an address in the way of a runtime; port 0 is any free one. */
export type Listen = (
  options: {
    readonly hostname: string;
    readonly port: number;
    readonly fetch: Fetch;
    readonly limits: Limits;
  },
) => Promise<Listening>;
