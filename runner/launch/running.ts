import { runningPlan } from "../approval/container-plan.ts";
import type { ServerConfig } from "../config/config.ts";
import { startExec } from "../docker/exec.ts";
import type { Launch } from "../server/managed-server.ts";
import { handedSecrets } from "./handed-secrets.ts";
import { bareLauncher, type LaunchContext, type Launcher } from "./launcher.ts";

/** For a program in a container that somebody else runs. */
export function runningLauncher(
  config: ServerConfig,
  container: string,
  context: LaunchContext,
): Launcher {
  const approve = () => context.approvals.check(runningPlan(config, container));
  const launch: Launch = async () => {
    await approve();
    const secrets = await handedSecrets(config, context);
    const engine = await context.engine();
    return await startExec(engine, { container, command: config.args, env: config.env, secrets });
  };
  return { ...bareLauncher(launch), approve };
}
