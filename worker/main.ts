/**
 * The worker's one file, for every runtime: `export default { fetch }` and the Durable Objects for
 * Cloudflare Workers, the same default export for `deno serve`, a program for `node` and `deno run`,
 * and a module for `mcp-runner up`.
 *
 * @module
 */
import { createServedByDeno, isProgram, runCommand } from "./command.ts";
import { fetchOnCloudflare } from "./cloudflare.ts";
import type { LocalWorker } from "./local.ts";
import { type CloudflareEnv, onCloudflare } from "./platform/cloudflare.ts";
import { denoNamespace, upgradeDeno } from "./platform/deno.ts";

export { TunnelHome } from "./hub/durable-object.ts";
export { AccessStore } from "./store/object.ts";
export { serve } from "./local.ts";

let servedByDeno: Promise<LocalWorker> | undefined;

/** What `deno serve` and Cloudflare Workers call for each request. */
export default {
  async fetch(request: Request, env: unknown): Promise<Response> {
    if (onCloudflare()) return fetchOnCloudflare(request, env as CloudflareEnv);
    servedByDeno ??= createServedByDeno();
    return (await servedByDeno).app.fetch(request, { upgrade: upgradeDeno });
  },
};

if (!onCloudflare() && isProgram(import.meta.url)) {
  // `deno serve` passes no arguments and listens by itself: only the join code is left to show.
  if (denoNamespace()?.args.length === 0) servedByDeno = createServedByDeno();
  else void runCommand();
}
