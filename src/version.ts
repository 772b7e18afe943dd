/** The version of the package, put in by the build. */
declare const MCP_RUNNER_VERSION: string | undefined;

/** Version of this program, as in package.json; "0.0.0-source" when it runs unbuilt. */
export const VERSION: string = typeof MCP_RUNNER_VERSION === "string"
  ? MCP_RUNNER_VERSION
  : "0.0.0-source";
