import { systemClock } from "../../src/clock.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { loadConfig } from "../config/config.ts";
import { selectProfile } from "../config/profile.ts";
import { openHome } from "../local/home.ts";
import { createRunner } from "../runner.ts";
import { approver } from "./approving.ts";
import { DEFAULT_CONFIG, readArguments, START_OPTIONS } from "./arguments.ts";
import { commands } from "./commands.ts";
import { humanLog, type Terminal } from "./terminal.ts";
import { agreeToTools } from "./tool-changes.ts";

/**
 * `approve [<server>…]`: shows how servers are run and asks whether they may be, also where an image has
 * changed; then the same for what has changed in their tools. A runner that serves the config follows.
 */
export async function approve(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["approve"] ?? { usage: "" };
  const { values, positionals: names } = readArguments(args, START_OPTIONS, usage);
  const by = approver(values.yes, terminal);
  if (by === undefined) {
    throw new GatewayError("usage", "Cannot ask here: approve on a terminal, or with --yes");
  }
  const config = selectProfile(
    await loadConfig(values.config ?? DEFAULT_CONFIG),
    values.profile,
  );
  const unknown = names.find((name) => !config.servers.some((server) => server.name === name));
  if (unknown !== undefined) {
    throw new GatewayError("usage", `Cannot approve "${printable(unknown)}": no such server`);
  }
  const servers = config.servers.filter(({ name }) => names.length === 0 || names.includes(name));
  const log = humanLog(terminal);
  const runner = await createRunner({
    config: { ...config, servers },
    home: await openHome(),
    env: terminal.env,
    clock: systemClock,
    log,
    approve: by,
    accept: true,
    changed: () => {},
  });
  const outcomes: Array<{ readonly server: string; readonly error?: string }> = [];
  try {
    for (const [server, owned] of runner.servers) {
      if (terminal.stopped.aborted) break;
      const failure = await owned.approve((line) => log("info", line))
        .then(() => agreeToTools(runner, owned, { by, terminal }))
        .then(() => undefined, toGatewayError);
      outcomes.push({ server, ...(failure !== undefined && { error: failure.message }) });
      if (failure === undefined) terminal.note(`Server "${server}" may start`);
      else terminal.note(printable(failure.message));
    }
  } finally {
    await runner.stop();
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  if (failed.length > 0) {
    const missing = failed.map(({ server }) => `"${server}"`).join(", ");
    throw new GatewayError("not_approved", `May not start: ${missing}`);
  }
  if (values.json) terminal.out(JSON.stringify({ ok: true, servers: outcomes }));
}
