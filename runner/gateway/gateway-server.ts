import type { ServerRules } from "../../src/policy/allowlist.ts";
import type { ServerPins } from "../policy/tool-pins.ts";
import type { ExchangeServer } from "../server/exchange.ts";
import type { TaskRules } from "../task/policy.ts";

/** A server, under which names clients see it, and what of it they may use. */
export interface GatewayServer {
  readonly server: ExchangeServer;
  /** What the names of its tools and prompts begin with; may be empty. */
  readonly prefix: string;
  readonly rules: ServerRules;
  /** Which of its tools make tasks. */
  readonly tasks: TaskRules;
  /** How it is reached: tools over HTTP must keep the rules of `x-mcp-header`. */
  readonly transport: "stdio" | "http";
  /**
   * Takes secrets out of what it answers, before that leaves the runner: gives the same string where there
   * is nothing to take out, and text that is still JSON where there is. Nothing is taken out unless given.
   */
  readonly redact?: (text: string) => string;
  /** Holds its tools and prompts to what was agreed to; nothing does unless given. */
  readonly pins?: ServerPins;
}
