import type { GatewayError } from "../../src/errors.ts";
import type { Member } from "../../src/mcp/scan.ts";
import type { Exchange, ExchangeListener, Withdraw } from "./exchange.ts";
import { progressToken, toProgressNote } from "./params.ts";

/**
 * An exchange under way: its listener hears one end at most, nothing after it, and nothing at all once
 * it was withdrawn. One that ended in a question can still be withdrawn: nobody will answer then.
 */
export class Ongoing {
  readonly exchange: Exchange;
  /** How often it was handed to a process. */
  tries = 0;
  readonly #listener: ExchangeListener;
  #over = false;
  #asking = false;
  #withdrawn: string | undefined;
  #tell: Withdraw = () => {};

  constructor(exchange: Exchange, listener: ExchangeListener) {
    this.exchange = exchange;
    this.#listener = listener;
  }

  /** Whether nobody waits for it any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Nobody waits for it any more: who carries it out is told why. */
  withdraw(reason: string): void {
    if (this.#over && !this.#asking) return;
    this.#over = true;
    this.#asking = false;
    this.#withdrawn = reason;
    this.#tell(reason);
  }

  /** Says what to do when it is withdrawn, in place of what was said before; at once if it has been. */
  onWithdraw(tell: Withdraw): void {
    this.#tell = tell;
    if (this.#withdrawn !== undefined) tell(this.#withdrawn);
  }

  /** The request was written. */
  accepted(): void {
    if (!this.#over) this.#listener.accepted();
  }

  /** A notification that is ready for the caller. */
  note(notification: string): void {
    if (!this.#over) this.#listener.note(notification);
  }

  /** `notifications/progress` of the server: reaches a caller that gave a token, under that token. */
  progress(params: string): void {
    if (this.#over) return;
    const token = progressToken(this.exchange.params);
    if (token !== undefined) this.#listener.note(toProgressNote(params, token));
  }

  /** Ends it with a result. */
  result(result: string, members: ReadonlyMap<string, Member>): void {
    if (this.#end()) this.#listener.result(result, members);
  }

  /** Ends it with a question. */
  inputRequired(result: string, state: string | undefined): void {
    if (!this.#end()) return;
    this.#asking = true;
    this.#listener.inputRequired(result, state);
  }

  /** Ends it with a JSON-RPC error of the server. */
  error(error: string): void {
    if (this.#end()) this.#listener.error(error);
  }

  /** Ends it with a failure of ours. */
  failed(error: GatewayError): void {
    if (this.#end()) this.#listener.failed(error);
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    return true;
  }
}
