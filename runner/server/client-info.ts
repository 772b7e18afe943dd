import { VERSION } from "../../src/version.ts";

/** JSON text of the `clientInfo` that servers of both eras get: it is the runner that speaks to them. */
export const CLIENT_INFO = JSON.stringify({ name: "mcp-runner", version: VERSION });
