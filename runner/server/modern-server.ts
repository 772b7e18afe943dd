/**
 * A server of MCP 2026-07-28: stateless, so that one process serves everybody at once. Every request
 * says who asks, and a question of the server is the result of a request.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import {
  MAX_SERVER_DEPTH,
  type Member,
  rawMember,
  readString,
  scan,
  spliceObject,
} from "../../src/mcp/scan.ts";
import type { EraContext, EraServer } from "./era-server.ts";
import type { Instance, InstanceEvents } from "./instance.ts";
import type { ListKind, Lists } from "./lists.ts";
import { passMessage } from "./log-message.ts";
import { ModernSubscription } from "./modern-subscription.ts";
import type { Ongoing } from "./ongoing.ts";
import { toModernParams } from "./params.ts";
import { unite } from "./union.ts";

/** A process of a modern server that is ready. */
export class ModernServer implements EraServer, InstanceEvents {
  readonly #context: EraContext;
  readonly #instance: Instance;
  readonly #subscription: ModernSubscription;
  readonly #ongoing = new Set<Ongoing>();

  constructor(context: EraContext, instance: Instance) {
    this.#context = context;
    this.#instance = instance;
    instance.events = this;
    this.#subscription = new ModernSubscription(context, instance);
    this.#tellLists([]);
  }

  async start(): Promise<void> {
    // Its process was there before it was.
  }

  exchange(ongoing: Ongoing): void {
    const { exchange } = ongoing;
    const [refusal] = exchange.input?.errors.values() ?? [];
    if (refusal !== undefined) {
      // MCP 2026-07-28 has no way to tell a server that its question was refused.
      ongoing.error(refusal);
      return;
    }
    const end = (tell: () => void): void => {
      this.#ongoing.delete(ongoing);
      tell();
    };
    try {
      ongoing.tries++;
      const withdraw = this.#instance.peer.send(
        exchange.method,
        (id) => toModernParams(exchange, id),
        {
          isCall: true,
          progress: (params) => ongoing.progress(params),
          result: (result, members) => end(() => deliver(ongoing, result, members)),
          error: (error) => end(() => refuse(ongoing, error, this.#instance.peer.failureOf(error))),
          lost: (error) => end(() => ongoing.failed(error)),
        },
      );
      this.#ongoing.add(ongoing);
      ongoing.onWithdraw((reason) => end(() => withdraw(reason)));
    } catch (error) {
      this.#context.refused(ongoing, this.#instance, error);
      return;
    }
    ongoing.accepted();
  }

  listen(): void {
    this.#subscription.renew();
  }

  unlisten(): void {
    this.#subscription.renew();
  }

  close(): void {
    this.#subscription.close();
  }

  notified(method: string, params: string): void {
    if (method === "notifications/message") this.#passMessage(params);
    else this.#subscription.notified(method, params);
  }

  asked(): void {
    // A modern server asks nothing, and gets no response (transports/stdio "Sending Messages").
    this.#instance.peer.garbage();
  }

  relisted(_before: Lists, told: readonly ListKind[]): void {
    this.#tellLists(told);
  }

  /** Messages name no request: only one that wants them can be the one that they belong to. */
  #passMessage(params: string): void {
    const wanting = [...this.#ongoing].filter(({ exchange: { caller } }) =>
      caller.logLevel !== undefined
    );
    const [only] = wanting;
    if (only !== undefined && wanting.length === 1) passMessage(params, only);
    else this.#instance.droppedMessages++;
  }

  #tellLists(told: readonly ListKind[]): void {
    const { lists, capabilities } = this.#instance;
    this.#context.listed(unite([lists], capabilities), told, "whole");
  }
}

/** Ends it with an error of its server, or with a failure of ours that came as one. */
function refuse(ongoing: Ongoing, error: string, own: GatewayError | undefined): void {
  if (own === undefined) ongoing.error(error);
  else ongoing.failed(own);
}

function deliver(ongoing: Ongoing, result: string, members: ReadonlyMap<string, Member>): void {
  const type = members.get("resultType")?.value;
  const typeText = type === undefined ? undefined : result.slice(type.start, type.end);
  if (type?.kind !== "string" || readString(typeText ?? "") !== "input_required") {
    ongoing.result(result, members);
    return;
  }
  try {
    const outline = scan(result, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
    const state = rawMember(result, outline, "requestState");
    const question = spliceObject(result, outline, { requestState: null });
    ongoing.inputRequired(question, state?.startsWith('"') ? readString(state) : undefined);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    ongoing.failed(error);
  }
}
