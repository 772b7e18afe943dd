/**
 * An MCP server of our own for tools that are each one run of a container. It speaks MCP 2025-11-25 in
 * lines, as a server in a container does, to what is beside it in this process. Made by launch.ts.
 *
 *     line → initialize, tools/list, ping          → answer
 *          → tools/call → a run of its own (run.ts) → answer
 *          → notifications/cancelled                → that run is ended
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import * as v from "valibot";
import { GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";
import { LATEST_LEGACY_REVISION } from "../../src/mcp/revisions.ts";
import { VERSION } from "../../src/version.ts";
import type { CommandTool } from "../config/command-tool.ts";
import { startError, withBrief } from "../server/brief.ts";
import type { ProcessExit, ServerProcess } from "../server/process.ts";
import { Outlet } from "./outlet.ts";
import type { Collected } from "./collect.ts";
import type { RunResult } from "./run.ts";

/** Runs one tool with the arguments of a call; ends the run when the signal does. */
export type RunTool = (
  tool: CommandTool,
  args: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
) => Promise<RunResult>;

/** What the server is made of. */
export interface CommandsServerContext {
  readonly name: string;
  readonly tools: readonly CommandTool[];
  readonly run: RunTool;
  /** Longest run, in milliseconds. */
  readonly callMs: number;
}

/** Runs at once; more wait. */
const MAX_RUNS = 8;

const messageId = v.union([v.string(), v.number()]);

const message = v.object({
  id: v.optional(messageId),
  method: v.optional(v.string()),
  params: v.optional(v.record(v.string(), v.unknown())),
});

const callParams = v.object({
  name: v.string(),
  arguments: v.optional(v.record(v.string(), v.unknown()), {}),
});

type MessageId = v.InferOutput<typeof messageId>;

/** One such server; see the module. */
export class CommandsServer implements ServerProcess {
  readonly id = `commands-${randomUUID()}`;
  readonly exited: Promise<ProcessExit>;
  readonly #context: CommandsServerContext;
  readonly #lines = new Outlet<string>();
  readonly #stderr = new Outlet<string>();
  readonly #runs = new Map<MessageId, { controller: AbortController; done: Promise<void> }>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #isOver = false;
  #exit: (exit: ProcessExit) => void = () => {};

  constructor(context: CommandsServerContext) {
    this.#context = context;
    this.exited = new Promise((resolve) => this.#exit = resolve);
  }

  write(line: string): void {
    if (this.#isOver) {
      throw new GatewayError("server_failed", "Cannot write to the server: it has ended");
    }
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), message), line);
    if (!parsed.success) return;
    const { id, method, params = {} } = parsed.output;
    if (method === "notifications/cancelled") {
      const requestId = v.safeParse(messageId, params["requestId"]);
      if (requestId.success) this.#runs.get(requestId.output)?.controller.abort();
    }
    if (id !== undefined && method !== undefined) this.#answer(id, method, params);
  }

  onLine(listener: (line: string) => void): void {
    this.#lines.listen(listener);
  }

  /** All that it says is text. */
  onGarbage(): void {}

  onStderr(listener: (line: string) => void): void {
    this.#stderr.listen(listener);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    for (const { controller } of this.#runs.values()) controller.abort();
    await Promise.all([...this.#runs.values()].map(({ done }) => done));
    this.#exit({ code: 0, oomKilled: false, reason: "closed" });
  }

  #answer(id: MessageId, method: string, params: Readonly<Record<string, unknown>>): void {
    switch (method) {
      case "initialize":
        return this.#reply(id, {
          protocolVersion: LATEST_LEGACY_REVISION,
          capabilities: { tools: {} },
          serverInfo: { name: this.#context.name, version: VERSION },
        });
      case "ping":
        return this.#reply(id, {});
      case "tools/list":
        return this.#reply(id, {
          tools: this.#context.tools.map(({ name, description, inputSchema }) => ({
            name,
            description,
            inputSchema: JSON.parse(inputSchema) as unknown,
          })),
        });
      case "tools/call":
        return this.#call(id, params);
      default:
        return this.#refuse(id, new GatewayError("unknown_method", `Unknown method: ${method}`));
    }
  }

  #call(id: MessageId, params: Readonly<Record<string, unknown>>): void {
    const parsed = v.safeParse(callParams, params);
    const tool = parsed.success
      ? this.#context.tools.find(({ name }) => name === parsed.output.name)
      : undefined;
    if (!parsed.success || tool === undefined) {
      const error = parsed.success
        ? new GatewayError("unknown_tool", "Cannot call the tool: there is none of that name")
        : new GatewayError("invalid_params", "Cannot call a tool: the params have no name");
      return this.#refuse(id, error);
    }
    const controller = new AbortController();
    const done = this.#run(id, tool, parsed.output.arguments, controller)
      .finally(() => this.#runs.delete(id));
    this.#runs.set(id, { controller, done });
  }

  async #run(
    id: MessageId,
    tool: CommandTool,
    args: Readonly<Record<string, unknown>>,
    { signal }: AbortController,
  ): Promise<void> {
    const { run, callMs } = this.#context;
    await this.#turn();
    const late = AbortSignal.timeout(callMs);
    try {
      const result = await run(tool, args, AbortSignal.any([signal, late]));
      for (const warning of result.warnings) this.#stderr.push(`${tool.name}: ${warning}`);
      this.#reply(id, resultOf(tool, result));
    } catch (error) {
      // Nobody waits for the answer of a cancelled request.
      if (signal.aborted) return;
      this.#refuse(id, late.aborted ? tooLate(tool, callMs) : this.#cannotRun(tool, error));
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Strangers are not told what the engine says, and the owner is. */
  #cannotRun(tool: CommandTool, thrown: unknown): GatewayError {
    const error = toGatewayError(thrown);
    this.#stderr.push(`${tool.name}: ${error.message}`);
    const { name } = this.#context;
    return error.code === "server_failed" ? startError(name, error) : withBrief(name, error);
  }

  /** Resolves when a run may start, in the order of the calls. */
  async #turn(): Promise<void> {
    if (this.#running >= MAX_RUNS) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }

  #reply(id: MessageId, result: unknown): void {
    this.#lines.push(JSON.stringify({ jsonrpc: "2.0", id, result }));
  }

  #refuse(id: MessageId, error: GatewayError): void {
    const { code, message: text, data } = toRpcError(error);
    const rpc = error.code === "unknown_method" ? -32601 : code;
    this.#lines.push(
      JSON.stringify({ jsonrpc: "2.0", id, error: { code: rpc, message: text, data } }),
    );
  }
}

/** The result of a call: what was printed; with why it failed, if it did. */
function resultOf(tool: CommandTool, { stdout, stderr, code, oomKilled }: RunResult) {
  if (code === 0) return { content: [{ type: "text", text: textOf(stdout) }], isError: false };
  const why = oomKilled
    ? `${tool.name} ran out of memory`
    : `${tool.name} failed${code === null ? "" : ` with exit code ${code}`}`;
  const parts = [textOf(stdout), textOf(stderr), why].filter((text) => text !== "");
  return { content: parts.map((text) => ({ type: "text", text })), isError: true };
}

function textOf({ text, isCut }: Collected): string {
  return isCut ? `${text}\n(cut here: more was printed than is kept)` : text;
}

function tooLate({ name }: CommandTool, callMs: number): GatewayError {
  return new GatewayError(
    "call_timeout",
    `The tool ${name} did not end within ${callMs / 1000} s and was stopped`,
  );
}
