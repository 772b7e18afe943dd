import type { Call, Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import type { ExchangeCaller } from "../server/exchange.ts";
import type { Params } from "../server/params.ts";
import type { Directory } from "./directory.ts";
import type { RequestStates } from "./request-state.ts";
import type { ServerTaskIds } from "./task-id.ts";
import type { TaskKeeper } from "./task-keeper.ts";

/** A call in flight, and who hears of it. */
export interface GatewayRequest {
  readonly call: Call;
  readonly caller: ExchangeCaller;
  readonly params: Params;
  readonly reply: Reply;
  /** Aborted with the reason when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** What requests are served with. */
export interface RequestContext {
  readonly directory: Directory;
  readonly states: RequestStates;
  readonly taskIds: ServerTaskIds;
  readonly tasks: TaskKeeper | undefined;
  readonly clock: Clock;
  /** Answers with the error that was thrown. */
  readonly fail: (reply: Reply, thrown: unknown) => void;
}
