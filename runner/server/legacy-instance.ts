import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { claimsModern } from "../../src/mcp/revisions.ts";
import { MAX_SERVER_DEPTH, rawMember, scan, stringMember } from "../../src/mcp/scan.ts";
import type { Instance, InstanceEvents } from "./instance.ts";
import { LegacyCall } from "./legacy-call.ts";
import { needsTask } from "./legacy-task.ts";
import type { ListKind, Lists } from "./lists.ts";
import { passMessage } from "./log-message.ts";
import type { Ongoing } from "./ongoing.ts";
import type { Parking } from "./parking.ts";
import { answerAlone, type Ask, IGNORED } from "./peer.ts";
import type { ResourceWatch } from "./resource-watch.ts";

const ELICITATION_COMPLETE = "notifications/elicitation/complete";

/** What a legacy instance needs of the pool that it is in. */
export interface LegacyInstanceContext {
  /** Name of the server. */
  readonly server: string;
  readonly clock: Clock;
  /** Whether its client said that it has roots. */
  readonly hasRoots: boolean;
  readonly parking: Parking<LegacyCall>;
  readonly watch: ResourceWatch;
  /** It has become free, or its call waits for a person. */
  readonly eased: (instance: LegacyInstance) => void;
  readonly relisted: (
    instance: LegacyInstance,
    before: Lists,
    told: readonly ListKind[],
  ) => void;
}

/**
 * A process of a legacy server, which was told once what its client can do. What it says beside its
 * answers names no request, so it is told to a caller only while there is one.
 */
export class LegacyInstance implements InstanceEvents {
  readonly instance: Instance;
  /** Whose process it is, see pool; undefined: anybody's. */
  key: string | undefined;
  /** Since when it has nothing to do, by the clock. */
  idleSince = 0;
  readonly #context: LegacyInstanceContext;
  readonly #calls = new Set<LegacyCall>();
  #tools: { readonly of: Lists; readonly needTask: ReadonlyMap<string, boolean> } | undefined;
  #levelSet = false;

  constructor(instance: Instance, context: LegacyInstanceContext, key?: string) {
    this.instance = instance;
    this.key = key;
    this.#context = context;
    instance.events = this;
  }

  /** Whether the server works on something, or waits for a person. */
  get busy(): boolean {
    return this.#calls.size > 0;
  }

  /** Whether all that it has to do waits for a person. */
  get parked(): boolean {
    return this.busy && [...this.#calls].every(({ isParked }) => isParked);
  }

  /** Whether it lists a tool of this name. */
  hasTool(name: string): boolean {
    return this.#listedTools().has(name);
  }

  /** Carries out an exchange. Throws as `Peer.send` does, and nothing was written then. */
  carry(ongoing: Ongoing): void {
    const { peer } = this.instance;
    if (ongoing.exchange.caller.logLevel !== undefined) this.#wantMessages();
    const { server, clock, parking } = this.#context;
    const { method, params } = ongoing.exchange;
    const { taskCalls } = this.instance.capabilities;
    const tool = taskCalls && method === "tools/call"
      ? stringMember(params.text, params.outline, "name")
      : undefined;
    const call = new LegacyCall(ongoing, {
      server,
      peer,
      clock,
      parking,
      needsTask: tool !== undefined && this.#listedTools().get(tool) === true,
      parked: () => this.#context.eased(this),
      done: (ended) => {
        this.#calls.delete(ended);
        if (!this.busy) this.#context.eased(this);
      },
    });
    this.#calls.add(call);
    try {
      call.send();
    } catch (error) {
      this.#calls.delete(call);
      throw error;
    }
  }

  /** Gives up the calls that wait for a person, who has not come back for so long. */
  abandon(reason: string): void {
    for (const call of this.#calls) call.abandon(reason);
  }

  notified(method: string, params: string): void {
    switch (method) {
      case "notifications/message": {
        const call = this.#onlyCall();
        if (call !== undefined) passMessage(params, call.ongoing);
        else if (this.busy) this.instance.droppedMessages++;
        return;
      }
      case ELICITATION_COMPLETE: {
        const call = this.#onlyCall();
        // Modern clients know no ids of elicitations.
        if (call === undefined || claimsModern(call.protocolVersion)) return;
        call.note(`{"jsonrpc":"2.0","method":"${ELICITATION_COMPLETE}","params":${params}}`);
        return;
      }
      case "notifications/resources/updated":
        this.#context.watch.updated(params);
        return;
      case "notifications/cancelled": {
        const id = requestIdOf(params);
        if (id !== undefined) { for (const call of this.#calls) call.unask(id); }
      }
    }
  }

  /**
   * The server asks something. Outside of any exchange there is nobody to ask: it has no roots then,
   * and everything else is not served.
   */
  asked(ask: Ask): void {
    const call = this.#onlyCall();
    if (ask.method !== "ping" && call !== undefined) call.ask(ask);
    else if (ask.method === "roots/list" && this.#context.hasRoots) ask.answer('{"roots":[]}');
    else answerAlone(ask);
  }

  relisted(before: Lists, told: readonly ListKind[]): void {
    this.#context.relisted(this, before, told);
  }

  /** The tools that it lists, and whether each is only run as a task. */
  #listedTools(): ReadonlyMap<string, boolean> {
    const { lists } = this.instance;
    if (this.#tools?.of !== lists) {
      const needTask = new Map(lists.tools.entries.map((entry) => [entry.key, needsTask(entry)]));
      this.#tools = { of: lists, needTask };
    }
    return this.#tools.needTask;
  }

  #onlyCall(): LegacyCall | undefined {
    const [call] = this.#calls;
    return this.#calls.size === 1 ? call : undefined;
  }

  /** Servers send messages of all levels from then on; each caller gets what it wants of them. */
  #wantMessages(): void {
    const { capabilities, peer } = this.instance;
    if (this.#levelSet || !capabilities.logging) return;
    this.#levelSet = true;
    peer.ask("logging/setLevel", '{"level":"debug"}', IGNORED);
  }
}

/** JSON text of the id that a `notifications/cancelled` names. */
function requestIdOf(params: string): string | undefined {
  try {
    return rawMember(params, scan(params, { keep: 1, maxDepth: MAX_SERVER_DEPTH }), "requestId");
  } catch (error) {
    // Empty params.
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}
