import type { Instance, InstanceContext } from "./instance.ts";
import type { Launcher } from "./launcher.ts";
import type { ServerLists } from "./listed.ts";
import type { ListKind } from "./lists.ts";
import type { Ongoing } from "./ongoing.ts";
import type { ResourceWatch } from "./resource-watch.ts";

/** Whether lists are all that a server has, or what was seen so far, and more will follow. */
export type Extent = "whole" | "part";

/** What the processes of a server need of it, of whatever era they are. */
export interface EraContext extends InstanceContext {
  readonly launcher: Launcher;
  readonly watch: ResourceWatch;
  /** Whether other processes of the server see to its lists. */
  readonly listedElsewhere: boolean;
  /** Called with what the server lists now, and which kinds it said have changed. */
  readonly listed: (lists: ServerLists, told: readonly ListKind[], extent: Extent) => void;
  /** A process would not be initialized: it may be of another era than is remembered. */
  readonly doubted: () => void;
  /** Nothing of the exchange was written to `instance`, because of `error`. */
  readonly refused: (ongoing: Ongoing, instance: Instance, error: unknown) => void;
}

/** A server whose era is known. */
export interface EraServer {
  start(): Promise<void>;
  /** Carries out an exchange that is not over; never throws. */
  exchange(ongoing: Ongoing): void;
  /** Somebody listens to these URIs now. */
  listen(uris: readonly string[]): void;
  /** Nobody listens to these URIs any more. */
  unlisten(uris: readonly string[]): void;
  /** Its processes are gone for good: it waits for nothing any more. */
  close(): void;
}
