import type {
  Exchange,
  ExchangeListener,
  ExchangeServer,
  Spent,
} from "../../runner/server/exchange.ts";
import { readParams } from "../../runner/server/params.ts";

/** What a test says of an exchange; a call of "echo" by a client without capabilities unless given. */
export interface ExchangeOptions {
  readonly method?: Exchange["method"];
  /** JSON text. */
  readonly params?: string;
  readonly client?: string;
  readonly version?: string;
  readonly capabilities?: Readonly<Record<string, unknown>>;
  readonly logLevel?: Exchange["caller"]["logLevel"];
  readonly patienceMs?: Exchange["patienceMs"];
  /** Gets where its time went. */
  readonly spent?: Spent;
  /** What it goes on with. */
  readonly input?: {
    readonly state?: string | undefined;
    readonly responses?: Readonly<Record<string, unknown>>;
    readonly errors?: Readonly<Record<string, unknown>>;
  };
}

/** An exchange that a test has begun. */
export interface Begun {
  /** What its listener has heard, one line an event. */
  readonly events: readonly string[];
  /** Messages of the failures that its listener has heard. */
  readonly failures: readonly string[];
  /** The state and the questions of the `inputRequired` that ended it. */
  question(): { readonly state: string; readonly inputRequests: Record<string, Asked> };
  withdraw(reason: string): void;
}

/** One question. */
export interface Asked {
  readonly method: string;
  readonly params?: Record<string, unknown>;
}

/** Begins an exchange. */
export function begin(
  server: Pick<ExchangeServer, "exchange">,
  options: ExchangeOptions = {},
): Begun {
  const events: string[] = [];
  const failures: string[] = [];
  let asked: ReturnType<Begun["question"]> | undefined;
  const listener: ExchangeListener = {
    accepted: () => void events.push("accepted"),
    note: (note) => void events.push(`note ${note}`),
    result: (result) => void events.push(`result ${result}`),
    inputRequired: (result, state) => {
      const { inputRequests } = JSON.parse(result) as { inputRequests: Record<string, Asked> };
      asked = { state: state ?? "", inputRequests };
      events.push(`input ${result}`);
    },
    error: (error) => void events.push(`error ${error}`),
    failed: ({ code, executed, data, message }) => {
      failures.push(message);
      const more = Object.keys(data).length === 0 ? "" : ` ${JSON.stringify(data)}`;
      events.push(`failed ${code} ${executed}${more}`);
    },
  };
  const { input } = options;
  const withdraw = server.exchange({
    method: options.method ?? "tools/call",
    params: readParams(options.params ?? '{"name":"echo"}'),
    caller: {
      client: options.client ?? "client",
      protocolVersion: options.version ?? "2026-07-28",
      capabilities: options.capabilities ?? {},
      logLevel: options.logLevel,
    },
    ...(options.patienceMs && { patienceMs: options.patienceMs }),
    ...(options.spent && { spent: options.spent }),
    ...(input && {
      input: {
        state: input.state,
        responses: texts(input.responses),
        errors: texts(input.errors),
      },
    }),
  }, listener);
  return {
    events,
    failures,
    withdraw,
    question: () => {
      if (asked === undefined) throw new Error(`It was not asked: ${events.join()}`);
      return asked;
    },
  };
}

function texts(values: Readonly<Record<string, unknown>> = {}): ReadonlyMap<string, string> {
  return new Map(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
}
