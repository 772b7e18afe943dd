/**
 * Labels on everything that this project makes in an engine: how the reaper, the tests and a person with
 * `docker ps --filter label=…` find what is ours.
 *
 * @module
 */

/** Instance of the runner that owns a container or network; its liveness decides over reaping. */
export const OWNER_LABEL = "dev.mcp-runner.owner";

/** Name of the server that runs in a container, as in the configuration. */
export const SERVER_LABEL = "dev.mcp-runner.server";

/** Version of the runner that made a container. */
export const VERSION_LABEL = "dev.mcp-runner.version";

/** Recipe from which a local image was made; the same recipe is never built twice. */
export const IMAGE_LABEL = "dev.mcp-runner.image";
