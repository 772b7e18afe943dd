import { upstreamPlan } from "../approval/container-plan.ts";
import type { ServerConfig } from "../config/config.ts";
import type { ConcreteSource } from "../config/source.ts";
import type { Launch } from "../server/managed-server.ts";
import { resolveHeaders } from "../upstream/header-secrets.ts";
import { launchUpstream } from "../upstream/launch.ts";
import { bareLauncher, type LaunchContext, type Launcher } from "./launcher.ts";

/** Milliseconds that a server at a URL has to say that it is modern: it may have to be woken first. */
const PROBE_MS = 10_000;

/** For a server at a URL. */
export function upstreamLauncher(
  config: ServerConfig,
  { url, transport }: Extract<ConcreteSource, { kind: "http" }>,
  context: LaunchContext,
): Launcher {
  const { name, allowPrivate, oauth } = config;
  const { clock, env, logins, redactor, secrets } = context;
  const secret = oauth?.clientSecret;
  // A config that came from somebody else must not send this machine's secrets to them.
  const approve = async () => {
    const plan = upstreamPlan(config);
    if (plan !== undefined) await context.approvals.check(plan);
  };
  const launch: Launch = async () => {
    await approve();
    return await launchUpstream({
      url,
      transport,
      allowPrivate,
      env,
      clock,
      headers: () => resolveHeaders(config, secrets),
      login: {
        server: name,
        store: logins,
        redactor,
        ...(secret !== undefined && { clientSecret: () => secrets.resolve(secret, name) }),
      },
    });
  };
  return { ...bareLauncher(launch), approve, probeTimeoutMs: PROBE_MS };
}
