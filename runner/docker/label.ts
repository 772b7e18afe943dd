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

/** Digest of the configuration that a container was started with; given by who starts it. */
export const CONFIG_LABEL = "dev.mcp-runner.config-hash";

/**
 * Server and name of a named volume, as `<server>/<volume>`. Volumes never carry OWNER_LABEL: they outlive
 * the runner that made them.
 */
export const VOLUME_LABEL = "dev.mcp-runner.volume";
