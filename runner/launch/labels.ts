import { VERSION } from "../../src/version.ts";
import type { ServerConfig } from "../config/config.ts";
import { runKey } from "../config/run-key.ts";
import { CONFIG_LABEL, OWNER_LABEL, SERVER_LABEL, VERSION_LABEL } from "../docker/label.ts";

/** What marks the containers of a server: whose they are, which it is, and how it is run. */
export function labelsOf(config: ServerConfig, owner: string): Record<string, string> {
  return {
    [OWNER_LABEL]: owner,
    [SERVER_LABEL]: config.name,
    [VERSION_LABEL]: VERSION,
    [CONFIG_LABEL]: runKey(config),
  };
}
