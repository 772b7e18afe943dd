import { existsSync } from "node:fs";
import type { Log } from "../../src/log.ts";

/** Warns when a fault of the runner would be one of the whole machine. */
export function warnOfPower(log: Log): void {
  if (process.platform === "win32") return;
  if (existsSync("/.dockerenv") || existsSync("/run/.containerenv")) {
    log(
      "warn",
      "This runner is in a container with access to the engine: whoever breaks it has the whole machine",
    );
  } else if (process.getuid?.() === 0) {
    log("warn", "This runner runs as root; a user in the group of the engine's socket is enough");
  }
}
