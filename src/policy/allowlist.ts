import { matchesAny } from "./pattern.ts";

/** What of one kind may be used of a server, as patterns over the server's own names or URIs. */
export interface Rules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** What may be used of one server. */
export interface ServerRules {
  readonly tools: Rules;
  readonly prompts: Rules;
  /** Over URIs, and over URI templates as the server writes them. */
  readonly resources: Rules;
}

/** Nothing is allowed until somebody allows it. */
export const DENY_ALL: Rules = { allow: [], deny: [] };

/** Whether `rules` let `name` through: some `allow` pattern matches and no `deny` pattern does. */
export function isAllowed(rules: Rules, name: string): boolean {
  return matchesAny(rules.allow, name) && !matchesAny(rules.deny, name);
}
