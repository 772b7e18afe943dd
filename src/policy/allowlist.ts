import { matchesAny } from "./pattern.ts";

/** Which tools of one server may be used, as patterns over the server's own tool names. */
export interface ToolRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Nothing is allowed until somebody allows it. */
export const DENY_ALL: ToolRules = { allow: [], deny: [] };

/** Whether `rules` let `tool` through: some `allow` pattern matches and no `deny` pattern does. */
export function isAllowed(rules: ToolRules, tool: string): boolean {
  return matchesAny(rules.allow, tool) && !matchesAny(rules.deny, tool);
}
