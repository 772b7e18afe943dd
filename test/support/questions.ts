/**
 * A legacy client of a worker in memory whose calls are answered with questions, by a runner that the
 * test plays.
 *
 * @module
 */
import {
  type FakeRunner,
  inSession,
  RESULT,
  type SendOptions,
  type Session,
  startWorkerInMemory,
} from "./home.ts";
import { ASKABLE, type EventReader, eventsOf, openSessionWith } from "./session.ts";

export const FORM = {
  method: "elicitation/create",
  params: { mode: "form", message: "Who?", requestedSchema: { type: "object", properties: {} } },
};
export const URL_FORM = {
  method: "elicitation/create",
  params: { mode: "url", message: "Sign in", url: "https://auth.example.com/" },
};
export const SAMPLING = {
  method: "sampling/createMessage",
  params: { messages: [], maxTokens: 100 },
};
export const ROOTS = { method: "roots/list" };

export interface Asking {
  readonly session: Session;
  readonly runner: FakeRunner;
}

export async function start(
  capabilities: object = ASKABLE,
  version = "2025-11-25",
): Promise<Asking> {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ tools: ["notes__read"] });
  return { runner, session: await openSessionWith(await worker.client(), capabilities, version) };
}

/** The runner ends the round that it gets next with these questions. */
export async function ask(
  runner: FakeRunner,
  inputRequests: object | undefined,
  requestState?: string,
): Promise<Record<string, unknown>> {
  const { header, payload } = await runner.next("call");
  runner.say(
    { type: "result", id: header.id, resultType: "input_required" },
    { resultType: "input_required", inputRequests, requestState },
  );
  return JSON.parse(payload) as Record<string, unknown>;
}

/** Calls the tool, whose server asks these questions at once. */
export async function call(
  { session, runner }: Asking,
  inputRequests: object,
  { requestState, ...options }: SendOptions & { readonly requestState?: string } = {},
): Promise<EventReader> {
  const params = { name: "notes__read", arguments: { n: 1 }, _meta: { progressToken: 4 } };
  const answer = inSession(session, "tools/call", params, options);
  await ask(runner, inputRequests, requestState);
  return eventsOf(await answer);
}

/** Ends the call with the next round, and gives what that brought. */
export async function lastRound(runner: FakeRunner): Promise<Record<string, unknown>> {
  const { header, payload } = await runner.next("call");
  runner.say({ type: "result", id: header.id }, RESULT);
  return JSON.parse(payload) as Record<string, unknown>;
}
