/**
 * Where mcp-runner keeps its state on a machine: MCP_RUNNER_HOME, else the place that the operating
 * system has for it.
 *
 * @param env Environment variables.
 * @param platform As `process.platform` says.
 * @returns An absolute path, with the platform's separators; undefined where no home is known.
 */
export function stateDirectory(
  env: Readonly<Record<string, string | undefined>>,
  platform: string,
): string | undefined {
  const chosen = env["MCP_RUNNER_HOME"];
  if (chosen !== undefined && chosen !== "") return chosen;
  if (platform === "win32") {
    const local = env["LOCALAPPDATA"];
    return local === undefined ? undefined : `${local}\\mcp-runner`;
  }
  const home = env["HOME"];
  if (platform === "darwin") {
    return home === undefined ? undefined : `${home}/Library/Application Support/mcp-runner`;
  }
  const xdg = env["XDG_STATE_HOME"];
  if (xdg?.startsWith("/")) return `${xdg}/mcp-runner`;
  return home === undefined ? undefined : `${home}/.local/state/mcp-runner`;
}
