import { createHash } from "node:crypto";
import type { ServerConfig } from "./config.ts";

/**
 * Another text whenever a server has to be started anew to be as its config says. What clients see of it
 * (names and rules) is no part of it.
 */
export function runKey(config: ServerConfig): string {
  const {
    tools: _t,
    prompts: _p,
    resources: _r,
    prefix: _x,
    tasks: _k,
    redactResults: _d,
    given: _g,
    pins: _n,
    ...run
  } = config;
  return createHash("sha256").update(JSON.stringify(run)).digest("hex");
}
