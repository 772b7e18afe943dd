import type { Call, Reply } from "../../src/call.ts";
import type { Clock } from "../../src/clock.ts";
import type { ExchangeCaller } from "../server/exchange.ts";
import type { Params } from "../server/params.ts";
import type { Trace } from "../server/trace-context.ts";
import type { CallRecord } from "./call-record.ts";
import type { Directory } from "./directory.ts";
import type { RequestStates } from "./request-state.ts";
import type { ServerTaskIds } from "./task-id.ts";
import type { TaskKeeper } from "./task-keeper.ts";

/** A call in flight, and who hears of it. */
export interface GatewayRequest {
  readonly call: Call;
  readonly caller: ExchangeCaller;
  readonly params: Params;
  readonly trace: Trace;
  readonly record: CallRecord;
  readonly reply: Reply;
  /** Aborted with the reason when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** What can be answered, and is written down then. */
export type Answerable = Pick<GatewayRequest, "record" | "reply">;

/** What requests are served with. */
export interface RequestContext {
  readonly directory: Directory;
  readonly states: RequestStates;
  readonly taskIds: ServerTaskIds;
  readonly tasks: TaskKeeper | undefined;
  readonly clock: Clock;
  /** Answers the request with the error that was thrown. */
  readonly fail: (request: Answerable, thrown: unknown) => void;
}
