/**
 * Starts the processes of one server, whatever its source. What has to be there before a container, in its
 * order:
 *
 *     image → approved? → pinned (approved-image.ts) → secrets (handed-secrets.ts) → way out → container
 *
 * @module
 */
import type { GatewayError } from "../../src/errors.ts";
import type { ServerConfig } from "../config/config.ts";
import { commandsLauncher } from "./commands.ts";
import { containerLauncher } from "./container.ts";
import { bareLauncher, type LaunchContext, type Launcher } from "./launcher.ts";
import { runningLauncher } from "./running.ts";
import { upstreamLauncher } from "./upstream.ts";

/** The launcher for the kind of server that `config` describes. */
export function launcherOf(config: ServerConfig, context: LaunchContext): Launcher {
  const { source } = config;
  switch (source.kind) {
    case "http":
      return upstreamLauncher(config, source, context);
    case "running":
      return runningLauncher(config, source.container, context);
    case "commands":
      return commandsLauncher(config, source.tools, context);
    case "image":
    case "npm":
    case "pypi":
      return containerLauncher(config, source, context);
    case "docker":
    case "registry":
      throw new TypeError("A source of a catalog is expanded before it is launched");
  }
}

/** A launcher that has one answer: why the server cannot be started. */
export function faultyLauncher(fault: GatewayError): Launcher {
  const fail = () => Promise.reject(fault);
  return { ...bareLauncher(fail), approve: fail };
}
