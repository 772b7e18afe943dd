/**
 * The servers of a runner while its config changes: what stays the same goes on undisturbed, what has
 * changed is replaced, and what is gone ends once its calls have.
 *
 * @module
 */
import type { GatewayError } from "../src/errors.ts";
import type { ServerConfig } from "./config/config.ts";
import { runKey } from "./config/run-key.ts";
import type { GatewayServer } from "./gateway/gateway-server.ts";
import type { Launcher } from "./launch.ts";
import type { ManagedServer } from "./server/managed-server.ts";

/** Milliseconds that calls of a server that is replaced or removed get to end. */
export const REPLACE_MS = 30_000;

/** A server of a runner. */
export interface OwnedServer {
  readonly server: ManagedServer;
  readonly config: ServerConfig;
  /** The image that it was started from; undefined until then. */
  readonly image: () => string | undefined;
  /** See `Launcher.approve`. */
  readonly approve: Launcher["approve"];
}

/** A server as it is now to be. */
export interface Wanted {
  readonly config: ServerConfig;
  /** Another text when one of its secrets has been set anew. */
  readonly secrets: string;
  /** Why it cannot be launched, as when its catalog has no such entry. */
  readonly fault?: GatewayError;
}

/** What makes servers. */
export interface FleetContext {
  readonly launcherOf: (wanted: Wanted) => Launcher;
  readonly manage: (config: ServerConfig, launcher: Launcher) => ManagedServer;
  readonly redact: (text: string) => string;
}

/** What a change of the config came to. */
export interface Applied {
  readonly started: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

interface Member extends OwnedServer {
  /** Another one when the server has to be started anew. */
  readonly key: string;
  readonly launcher: Launcher;
}

/** The servers of a runner. */
export class Fleet {
  readonly #context: FleetContext;
  readonly #ending = new Set<Promise<void>>();
  readonly #endings = new WeakMap<Member, Promise<void>>();
  #members: ReadonlyMap<string, Member> = new Map();

  constructor(context: FleetContext) {
    this.#context = context;
  }

  /** By name, in the order of the config. */
  get servers(): ReadonlyMap<string, OwnedServer> {
    return this.#members;
  }

  /** What the gateway is given. */
  gatewayServers(): readonly GatewayServer[] {
    return [...this.#members.values()].map(({ server, config }): GatewayServer => ({
      server,
      prefix: config.prefix,
      rules: config,
      tasks: config.tasks,
      transport: config.source.kind === "http" ? "http" : "stdio",
      ...(config.redactResults && { redact: this.#context.redact }),
    }));
  }

  /**
   * From now on these are the servers. Those that have to be started anew are taken over at once: their
   * predecessors take no new calls, and end when theirs have ended.
   */
  apply(wanted: readonly Wanted[]): Applied {
    const before = this.#members;
    const members = new Map<string, Member>();
    const started: string[] = [];
    const changed: string[] = [];
    for (const one of wanted) {
      const { name } = one.config;
      const old = before.get(name);
      const key = this.#keyOf(one);
      if (old?.key === key) {
        members.set(name, { ...old, config: one.config });
        if (JSON.stringify(old.config) !== JSON.stringify(one.config)) changed.push(name);
        continue;
      }
      (old === undefined ? started : changed).push(name);
      members.set(name, this.#member(one, key, old));
    }
    const removed = [...before.keys()].filter((name) => !members.has(name));
    this.#members = members;
    for (const [name, member] of before) {
      if (members.get(name)?.server !== member.server) void this.#end(member);
    }
    return { started, changed, removed };
  }

  /** Stops every server; resolves when nothing of them is left, nor of those that were replaced. */
  async stop(): Promise<void> {
    const members = [...this.#members.values()];
    await Promise.allSettled(members.map(async ({ server, launcher }) => {
      await server.stop();
      await launcher.close();
    }));
    await Promise.allSettled(this.#ending);
  }

  #member(wanted: Wanted, key: string, old: Member | undefined): Member {
    const { config } = wanted;
    const made = this.#context.launcherOf(wanted);
    // Two processes that write into the same folder at once would spoil it.
    const launcher = old !== undefined && mayWrite(config) ? after(this.#end(old), made) : made;
    return {
      key,
      config,
      launcher,
      image: launcher.image,
      approve: launcher.approve,
      server: this.#context.manage(config, launcher),
    };
  }

  #keyOf({ config, secrets, fault }: Wanted): string {
    return JSON.stringify([runKey(config), secrets, fault?.message]);
  }

  #end(member: Member): Promise<void> {
    const known = this.#endings.get(member);
    if (known !== undefined) return known;
    const ending = member.server.drain(REPLACE_MS)
      .then(() => member.launcher.close())
      // What cannot be removed now is left to the reaper.
      .catch(() => {})
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    this.#endings.set(member, ending);
    return ending;
  }
}

function mayWrite({ volumes, namedVolumes }: ServerConfig): boolean {
  return [...volumes, ...namedVolumes].some(({ readOnly }) => !readOnly);
}

/** The launcher, whose first launch waits for `ended`. */
function after(ended: Promise<void>, launcher: Launcher): Launcher {
  return {
    ...launcher,
    launch: async (progress) => {
      await ended;
      return await launcher.launch(progress);
    },
  };
}
