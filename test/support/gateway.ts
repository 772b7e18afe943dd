import { Gateway } from "../../runner/gateway/gateway.ts";
import type { Call, Reply } from "../../src/call.ts";
import type { GatewayServer } from "../../runner/gateway/gateway-server.ts";
import type { ServerPins } from "../../runner/policy/tool-pins.ts";
import type { JournalEvent } from "../../runner/journal/event.ts";
import { NO_TASKS } from "../../runner/task/policy.ts";
import { defaultPrefix } from "../../src/mcp/name.ts";
import { DENY_ALL, type Rules } from "../../src/policy/allowlist.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { type Behaviour, hanging, type Pipe, wellBehaved } from "./pipe.ts";
import { type Bench, type LogLine, openServer } from "./server.ts";

/** A server of a test's gateway. */
export interface ServerOptions {
  /** For tools: every tool but "secret" unless given. */
  readonly rules?: Rules;
  readonly prefix?: string;
  readonly behave?: () => Behaviour;
  readonly launched?: () => Promise<unknown>;
  readonly redact?: (text: string) => string;
  /** Holds its tools to what was agreed to. */
  readonly pins?: ServerPins;
  /** For prompts and resources: nothing unless given. */
  readonly others?: Rules;
  /** Its era, as if it had been seen before; legacy unless given. */
  readonly remembered?: "modern" | "legacy";
}

/** A gateway whose servers are pipes. */
export interface GatewayBench {
  readonly gateway: Gateway;
  readonly clock: FakeClock;
  readonly log: readonly LogLine[];
  readonly servers: Readonly<Record<string, Bench>>;
  /** Makes a call and gives what its caller hears, one line an event. */
  call(options: Partial<Call>): string[];
  /** Calls `tool` with `members` of JSON text beside its name. */
  callTool(tool: string, members?: string, options?: Partial<Call>): string[];
  /** What was written into the call log. */
  readonly journal: readonly JournalEvent[];
  /** The lines that reached all servers, without the handshakes; and without traces unless wanted. */
  received(options?: { readonly traces: boolean }): readonly string[];
}

/** Everything but "secret". */
export const ALL_BUT_SECRET: Rules = { allow: ["*"], deny: ["secret"] };

/** Makes a gateway of these servers; one named "a" with the tools "echo" and "secret" unless given. */
export function openGateway(
  options: Readonly<Record<string, ServerOptions>> = { a: {} },
): GatewayBench {
  const clock = fakeClock();
  const log: LogLine[] = [];
  const journal: JournalEvent[] = [];
  const servers: Record<string, Bench> = {};
  const entries = Object.entries(options).map(([name, given]): GatewayServer => {
    const {
      rules: tools = ALL_BUT_SECRET,
      prefix = defaultPrefix(name),
      redact,
      pins,
      others = DENY_ALL,
      ...rest
    } = given;
    const behave = rest.behave ?? (() => wellBehaved(["echo", "secret"]));
    const bench = openServer({ ...rest, name, clock, behave });
    servers[name] = bench;
    return {
      server: bench.server,
      prefix,
      rules: { tools, prompts: others, resources: others },
      tasks: NO_TASKS,
      transport: "stdio",
      ...(redact && { redact }),
      ...(pins && { pins }),
    };
  });
  const gateway = new Gateway({
    runner: "runner-1",
    servers: entries,
    clock,
    journal: {
      write: (event, args) =>
        void journal.push(
          args && (event.type === "call" || event.type === "refusal")
            ? { ...event, args: args() }
            : event,
        ),
      close: async () => {},
    },
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
  });
  let calls = 0;
  const call = (given: Partial<Call>): string[] => {
    const { reply, events } = recordedReply();
    gateway.call({
      id: `call-${++calls}`,
      method: "tools/call",
      deadlineMs: 60_000,
      protocolVersion: "2025-11-25",
      clientCapabilities: {},
      caller: { client: "test" },
      params: "",
      ...given,
    }, reply);
    return events;
  };
  const handshake = new Set([
    "server/discover",
    "initialize",
    "notifications/initialized",
    "tools/list",
  ]);
  return {
    gateway,
    clock,
    log,
    journal,
    servers,
    call,
    callTool: (tool, members = "", given = {}) =>
      call({ params: `{"name":${JSON.stringify(tool)}${members}}`, ...given }),
    received: ({ traces } = { traces: false }) =>
      Object.values(servers).flatMap(({ pipes }) => pipes).flatMap(({ lines }) =>
        lines.filter((line) => {
          const { method } = JSON.parse(line) as { readonly method?: string };
          return method === undefined || !handshake.has(method);
        }).map((line) => traces ? line : withoutTrace(line))
      ),
  };
}

/** The line as it would be without the trace that every call gets, see gateway-trace.test.ts. */
function withoutTrace(line: string): string {
  return line.replace(/,"_meta":\{"traceparent":"[^"]*"\}|,"traceparent":"[^"]*"/, "");
}

/** The process of server "a", which must have started. */
export function pipeOf({ servers }: Pick<GatewayBench, "servers">): Pipe {
  const pipe = servers["a"]?.pipes[0];
  if (pipe === undefined) throw new Error('Server "a" has not started');
  return pipe;
}

/** A gateway whose server "a" is ready, leaves calls to the test, and is at hand. */
export async function openHanging(): Promise<GatewayBench & { readonly pipe: Pipe }> {
  const bench = openGateway({ a: { behave: hanging } });
  await bench.gateway.start();
  return { ...bench, pipe: pipeOf(bench) };
}

/** A reply that writes down what it hears. */
export function recordedReply(): { readonly reply: Reply; readonly events: string[] } {
  const events: string[] = [];
  return {
    events,
    reply: {
      accepted: () => void events.push("accepted"),
      note: (note) => void events.push(`note ${note}`),
      result: (result, type) => {
        events.push(`${type === undefined ? "" : `${type} `}result ${result}`);
      },
      error: (error, status) => {
        events.push(`error ${error}${status === undefined ? "" : ` ${status}`}`);
      },
    },
  };
}

/** What the one error among `events` says. */
export function errorOf(events: readonly string[]): {
  readonly code: number;
  readonly message: string;
  readonly data: {
    readonly code: string;
    readonly executed?: string;
    readonly retryable?: boolean;
  };
} {
  const errors = events.filter((event) => event.startsWith("error "));
  if (errors.length !== 1) throw new Error(`Not one error: ${JSON.stringify(events)}`);
  const [text = ""] = errors;
  return JSON.parse(text.slice("error ".length).replace(/(?<=\}) \d+$/, "")) as ReturnType<
    typeof errorOf
  >;
}
