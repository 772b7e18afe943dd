/**
 * A gateway in front of servers that a test plays: it lists what the test says, and every exchange waits
 * for the test's answer.
 *
 * @module
 */
import { Gateway, type GatewayContext } from "../../runner/gateway/gateway.ts";
import type {
  Exchange,
  ExchangeListener,
  ExchangeServer,
  ResourceListener,
  Withdraw,
} from "../../runner/server/exchange.ts";
import type { ListedEntry, ServerLists } from "../../runner/server/listed.ts";
import { NO_TASKS, type TaskRules } from "../../runner/task/policy.ts";
import type { Call } from "../../src/call.ts";
import type { GatewayError } from "../../src/errors.ts";
import { defaultPrefix } from "../../src/mcp/name.ts";
import { OFFERED_LISTS, type OfferedList } from "../../src/mcp/offer.ts";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { scan } from "../../src/mcp/scan.ts";
import type { Rules, ServerRules } from "../../src/policy/allowlist.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { recordedReply } from "./gateway.ts";
import { settled } from "./settled.ts";

/** Everything. */
export const ALLOW_ALL: Rules = { allow: ["*"], deny: [] };

/** What a played server has: entries by name or URI, or with more members. */
export interface Script extends Partial<Record<OfferedList, readonly (string | object)[]>> {
  readonly prefix?: string;
  readonly rules?: Partial<ServerRules>;
  readonly reads?: boolean;
  /** Whether it serves the tasks extension itself. */
  readonly ownTasks?: boolean;
  readonly tasks?: TaskRules;
  readonly instructions?: string;
  readonly transport?: "stdio" | "http";
  readonly broken?: ServerLists["broken"];
  /** It has not been started: starting it makes its lists known, or fails with this error until mended. */
  readonly cold?: true | GatewayError;
}

/** An exchange that has reached a played server. */
export interface Played {
  readonly exchange: Exchange;
  readonly listener: ExchangeListener;
  /** Why nobody waits any more. */
  withdrawn: string | undefined;
  /** The params as the server gets them. */
  readonly params: string;
  /** Accepts it and answers with a result. */
  result(text: string): void;
}

/** Somebody who listens to a played server. */
export interface PlayedListening {
  readonly uris: readonly string[];
  readonly listener: ResourceListener;
  over: boolean;
}

/** A server that a test plays. */
export class PlayedServer implements ExchangeServer {
  readonly name: string;
  readonly exchanges: Played[] = [];
  readonly listenings: PlayedListening[] = [];
  starts = 0;
  /** Whether it starts although its script says that it fails. */
  mended = false;
  lists: ServerLists | undefined;
  readonly #script: Script;

  constructor(name: string, script: Script) {
    this.name = name;
    this.#script = script;
    if (script.cold === undefined) this.relist(script);
  }

  /** Makes these its lists. */
  relist(script: Script): void {
    const entries = (list: OfferedList): readonly ListedEntry[] =>
      (script[list] ?? []).map((given) => entryOf(list, given));
    this.lists = {
      tools: entries("tools"),
      prompts: entries("prompts"),
      resources: entries("resources"),
      resourceTemplates: entries("resourceTemplates"),
      broken: script.broken ?? [],
      reads: script.reads ??
        (script.resources ?? script.resourceTemplates) !== undefined,
      tasks: script.ownTasks ?? false,
      instructions: script.instructions ?? "",
    };
  }

  start(): Promise<void> {
    this.starts++;
    const { cold } = this.#script;
    if (cold !== undefined && cold !== true && !this.mended) return Promise.reject(cold);
    if (this.lists === undefined) this.relist(this.#script);
    return Promise.resolve();
  }

  exchange(exchange: Exchange, listener: ExchangeListener): Withdraw {
    const played: Played = {
      exchange,
      listener,
      withdrawn: undefined,
      params: exchange.params.text,
      result: (text) => {
        listener.accepted();
        listener.result(text, scan(text, { keep: 1, maxDepth: 512 }).members);
      },
    };
    this.exchanges.push(played);
    return (reason) => {
      played.withdrawn = reason;
    };
  }

  listen(uris: readonly string[], listener: ResourceListener): () => void {
    const listening: PlayedListening = { uris, listener, over: false };
    this.listenings.push(listening);
    return () => {
      listening.over = true;
    };
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** The exchange that came last. */
  get last(): Played {
    const last = this.exchanges.at(-1);
    if (last === undefined) throw new Error(`Nothing has reached server "${this.name}"`);
    return last;
  }
}

/** A gateway and its played servers. */
export interface ScriptedGateway {
  readonly gateway: Gateway;
  readonly clock: FakeClock;
  /** The server with this name. */
  server(name: string): PlayedServer;
  /**
   * Makes a request of a modern client and waits until it has gone as far as it can.
   *
   * @returns What its caller hears, one line an event.
   */
  ask(method: string, params: object | string, more?: Partial<Call>): Promise<string[]>;
}

/** Makes a gateway; everything that the scripts list is allowed unless they say otherwise. */
export function openScripted(
  scripts: Readonly<Record<string, Script>>,
  more: Partial<GatewayContext> = {},
): ScriptedGateway {
  const clock = fakeClock();
  const servers = new Map(
    Object.entries(scripts).map(([name, script]) => [name, new PlayedServer(name, script)]),
  );
  const gateway = new Gateway({
    runner: "runner-1",
    clock,
    log: (level, message, fields) => {
      throw new Error(`${level} ${message} ${JSON.stringify(fields)}`);
    },
    servers: Object.entries(scripts).map(([name, script]) => ({
      server: servers.get(name) ?? new PlayedServer(name, script),
      prefix: script.prefix ?? defaultPrefix(name),
      rules: {
        tools: ALLOW_ALL,
        prompts: ALLOW_ALL,
        resources: ALLOW_ALL,
        ...script.rules,
      },
      tasks: script.tasks ?? NO_TASKS,
      transport: script.transport ?? "stdio",
    })),
    ...more,
  });
  let calls = 0;
  return {
    gateway,
    clock,
    server: (name) => {
      const server = servers.get(name);
      if (server === undefined) throw new Error(`There is no server "${name}"`);
      return server;
    },
    ask: async (method, params, given = {}) => {
      const { reply, events } = recordedReply();
      gateway.call({
        id: `call-${++calls}`,
        method,
        deadlineMs: 60_000,
        protocolVersion: MODERN_REVISION,
        clientCapabilities: {},
        caller: { client: "ada" },
        params: typeof params === "string" ? params : JSON.stringify(params),
        ...given,
      }, reply);
      await settled();
      return events;
    },
  };
}

/** The one result among `events`, read. */
export function resultOf(events: readonly string[]): Readonly<Record<string, unknown>> {
  const results = events.map((event) => /^(?:\w+ )?result (.*)$/s.exec(event)?.[1])
    .filter((text) => text !== undefined);
  const [text] = results;
  if (text === undefined || results.length > 1) {
    throw new Error(`Not one result: ${JSON.stringify(events)}`);
  }
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

function entryOf(list: OfferedList, given: string | object): ListedEntry {
  const member = OFFERED_LISTS[list];
  const more = list === "tools" ? { inputSchema: { type: "object" } } : {};
  const entry = typeof given === "string" ? { [member]: given, ...more } : { ...more, ...given };
  return {
    key: String((entry as Readonly<Record<string, unknown>>)[member]),
    raw: JSON.stringify(entry),
  };
}
