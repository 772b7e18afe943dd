import type { Clock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import type { Approvals } from "../approval/approvals.ts";
import type { SignatureRule } from "../config/config.ts";
import type { VolumePlace } from "../config/volume.ts";
import type { Engine } from "../docker/engine.ts";
import type { ImageLock } from "../image/lock.ts";
import type { Journal } from "../journal/journal.ts";
import type { Redactor } from "../secrets/redactor.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Launch } from "../server/managed-server.ts";
import type { TokenStore } from "../upstream/oauth/token-store.ts";

/** What servers are launched with. */
export interface LaunchContext {
  /** The engine; found when it is first needed. */
  readonly engine: () => Promise<Engine>;
  /** Id that marks what is made in the engine. */
  readonly owner: string;
  /** The state directory. */
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
  /** Every value that it gives is known to the redactor. */
  readonly secrets: Secrets;
  readonly redactor: Redactor;
  readonly approvals: Approvals;
  readonly lock: ImageLock;
  /** What host paths of the config are read against. */
  readonly place: VolumePlace;
  /** Where the logins of servers at a URL are kept. */
  readonly logins: TokenStore;
  readonly signed: readonly SignatureRule[];
  /** Whether images are pinned anew, whatever they were before: a person looks at them now. */
  readonly accept: boolean;
}

/** Starts one server as often as it is needed. */
export interface Launcher {
  /**
   * Starts a process, or connects to what stands for one.
   *
   * @throws {GatewayError} why it could not be started.
   */
  readonly launch: Launch;
  /** The image that it was started from; undefined until then, and for a server at a URL. */
  readonly image: () => string | undefined;
  /** Says which program it is and how it is run; undefined while that is not known. */
  readonly program: () => string | undefined;
  /** Milliseconds that it has to say that it is modern; the time of a local process unless given. */
  readonly probeTimeoutMs?: number;
  /**
   * Makes its image ready and asks for the approval, without a start.
   *
   * @throws {GatewayError} as `launch`.
   */
  approve(progress: (line: string) => void): Promise<void>;
  /** Removes what its processes shared; none runs any more. */
  close(): Promise<void>;
}

/** A launcher that has nothing but processes: no image, no approval, nothing that they share. */
export function bareLauncher(launch: Launch): Launcher {
  const nothing = () => Promise.resolve();
  return {
    launch,
    image: () => undefined,
    program: () => undefined,
    approve: nothing,
    close: nothing,
  };
}
