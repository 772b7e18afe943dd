/**
 * The servers of a runner while its config changes: what stays the same goes on undisturbed, what has
 * changed is replaced, and what is gone ends once its calls have.
 *
 * @module
 */
import { GatewayError } from "../src/errors.ts";
import type { ServerConfig } from "./config/config.ts";
import { runKey } from "./config/run-key.ts";
import type { GatewayServer } from "./gateway/gateway-server.ts";
import type { Launcher } from "./launch/launcher.ts";
import type { ServerPins } from "./policy/tool-pins.ts";
import type { ExchangeServer } from "./server/exchange.ts";
import type { ManagedServer } from "./server/managed-server.ts";
import { succeeding } from "./server/succeeding.ts";

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
  /** As the file has it; `config` is that with what its catalog says. */
  readonly written: ServerConfig;
  /** Another text when something else that it is run with has changed, such as one of its secrets. */
  readonly surroundings: string;
  /** Why it cannot be launched, as when its catalog has no such entry. */
  readonly fault?: GatewayError;
}

/** What makes servers. */
export interface FleetContext {
  readonly launcherOf: (wanted: Wanted) => Launcher;
  readonly manage: (config: ServerConfig, launcher: Launcher) => ManagedServer;
  readonly redact: (text: string) => string;
  /** What holds the tools of a server to what was agreed to; nothing does unless given. */
  readonly pins?: (name: string) => ServerPins;
  /** Called for a server that goes on as it was, since it cannot be told whether it is to be another. */
  readonly kept: (name: string, fault: GatewayError) => void;
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
  readonly wanted: Wanted;
  readonly launcher: Launcher;
  /** The server as clients see it. */
  readonly shown: ExchangeServer;
  /** When it is being ended: resolves when nothing of it is left. */
  readonly life: { ending?: Promise<void> };
}

/** The servers of a runner. */
export class Fleet {
  readonly #context: FleetContext;
  readonly #ending = new Set<Member>();
  #members: ReadonlyMap<string, Member> = new Map();
  #stopped = false;

  constructor(context: FleetContext) {
    this.#context = context;
  }

  /** By name, in the order of the config. */
  get servers(): ReadonlyMap<string, OwnedServer> {
    return this.#members;
  }

  /** What the gateway is given. */
  gatewayServers(): readonly GatewayServer[] {
    const { pins } = this.#context;
    return [...this.#members.values()].map(({ shown: server, config }): GatewayServer => ({
      server,
      prefix: config.prefix,
      rules: config,
      tasks: config.tasks,
      transport: config.source.kind === "http" ? "http" : "stdio",
      ...(config.redactResults && { redact: this.#context.redact }),
      ...(config.pins && pins && { pins: pins(config.name) }),
    }));
  }

  /**
   * From now on these are the servers. Those that have to be started anew are taken over at once: their
   * predecessors take no new calls, and end when theirs have ended.
   */
  apply(wanted: readonly Wanted[]): Applied {
    if (this.#stopped) return { started: [], changed: [], removed: [] };
    const before = this.#members;
    const staying = new Map(wanted.flatMap((one) => {
      const { name } = one.config;
      const old = before.get(name);
      const stays = old && this.#staying(old, one);
      return stays === undefined ? [] : [[name, stays] as const];
    }));
    // Before the new ones are made: those may have to wait for the end of these.
    for (const [name, member] of before) if (!staying.has(name)) this.#end(member);
    const members = wanted.map((one) =>
      staying.get(one.config.name) ?? this.#member(one, before.get(one.config.name))
    );
    this.#members = new Map(members.map((member) => [member.config.name, member]));
    const names = [...this.#members.keys()];
    return {
      started: names.filter((name) => !before.has(name)),
      changed: names.filter((name) => {
        const [old, now] = [before.get(name), this.#members.get(name)];
        return old !== undefined && now !== undefined &&
          (old.server !== now.server || textOf(old) !== textOf(now));
      }),
      removed: [...before.keys()].filter((name) => !this.#members.has(name)),
    };
  }

  /** Stops every server for good; resolves when nothing of them is left, nor of those that were replaced. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const ending = [...this.#ending];
    // Nobody waits for the calls that they still have.
    const stops = ending.map(({ server, life }) => Promise.all([server.stop(), life.ending]));
    const members = [...this.#members.values()];
    await Promise.allSettled([
      ...stops,
      ...members.map(async (member) => {
        member.life.ending ??= close(member, member.server.stop());
        await member.life.ending;
      }),
    ]);
  }

  /** What `old` is now; undefined if it has to be started anew. */
  #staying(old: Member, wanted: Wanted): Member | undefined {
    if (old.key === keyOf(wanted)) return { ...old, wanted, config: wanted.config };
    const { fault, written } = wanted;
    // A catalog that cannot be read now is no reason to end what was made from it before.
    const isKept = fault !== undefined && old.wanted.fault === undefined &&
      JSON.stringify(written) === JSON.stringify(old.wanted.written);
    if (!isKept) return undefined;
    this.#context.kept(written.name, fault);
    return old;
  }

  #member(wanted: Wanted, old: Member | undefined): Member {
    const { config } = wanted;
    const life: Member["life"] = {};
    // Two processes that write into the same folder at once would spoil it.
    const waits = [...this.#ending].filter((other) => shareFiles(other.config, config))
      .flatMap(({ life: { ending } }) => ending === undefined ? [] : [ending]);
    const launcher = after(waits, this.#context.launcherOf(wanted), () => {
      if (life.ending === undefined) return;
      throw new GatewayError(
        "server_failed",
        `Cannot start server "${config.name}": it is being stopped`,
      );
    });
    const server = this.#context.manage(config, launcher);
    const lists = wanted.fault === undefined ? old?.shown.lists : undefined;
    return {
      key: keyOf(wanted),
      wanted,
      config,
      launcher,
      life,
      server,
      shown: lists === undefined ? server : succeeding(server, lists),
      image: launcher.image,
      approve: launcher.approve,
    };
  }

  #end(member: Member): void {
    const { server, life } = member;
    this.#ending.add(member);
    life.ending = close(member, server.drain(REPLACE_MS))
      // What cannot be removed now is left to the reaper.
      .catch(() => {})
      .finally(() => this.#ending.delete(member));
  }
}

/** Removes what the processes of a server shared, once they have ended. */
async function close({ launcher }: Member, ended: Promise<void>): Promise<void> {
  try {
    await ended;
  } finally {
    await launcher.close();
  }
}

function keyOf({ config, surroundings, fault }: Wanted): string {
  return JSON.stringify([runKey(config), surroundings, fault?.message]);
}

function textOf({ config }: Member): string {
  return JSON.stringify(config);
}

/** Whether both may write to the same folder or volume. */
function shareFiles(one: ServerConfig, other: ServerConfig): boolean {
  const places = writtenBy(one);
  return writtenBy(other).some((place) => places.includes(place));
}

function writtenBy({ name, volumes, namedVolumes }: ServerConfig): readonly string[] {
  return [
    ...volumes.flatMap(({ hostPath, readOnly }) => readOnly ? [] : [hostPath]),
    // Volumes of two servers are two, whatever their names.
    ...namedVolumes.flatMap(({ volume, readOnly }) => readOnly ? [] : [`${name}:${volume}`]),
  ];
}

/** The launcher, which starts nothing before all of `waits` and unless `check` returns. */
function after(
  waits: readonly Promise<void>[],
  launcher: Launcher,
  check: () => void,
): Launcher {
  if (waits.length === 0) return launcher;
  return {
    ...launcher,
    launch: async (progress) => {
      await Promise.all(waits);
      check();
      return await launcher.launch(progress);
    },
  };
}
