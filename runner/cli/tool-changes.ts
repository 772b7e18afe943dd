/**
 * Shows a person what has changed in what a server says of its tools and prompts, and asks whether
 * clients may have it so.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { isAllowed } from "../../src/policy/allowlist.ts";
import type { Confirm } from "../approval/approvals.ts";
import type { OwnedServer } from "../fleet.ts";
import { definitionLines } from "../policy/definition.ts";
import { visible } from "../policy/invisible.ts";
import { lineDiff } from "../policy/line-diff.ts";
import { suspicionsOf } from "../policy/suspicion.ts";
import type { ChangedDefinition } from "../policy/tool-pins.ts";
import type { Runner } from "../runner.ts";
import { interrupted, type Terminal } from "./terminal.ts";

/**
 * Pins anew what has changed and is agreed to: of what the server listed last, or if that is not known, as
 * of a server at a URL and of another image, of what it lists when it is started for this.
 *
 * @throws {GatewayError} `not_approved` after a no; or why it cannot be started.
 */
export async function agreeToTools(
  runner: Pick<Runner, "pins">,
  { server, config }: OwnedServer,
  { by, terminal }: { readonly by: "yes" | Confirm; readonly terminal: Terminal },
): Promise<void> {
  const { name } = config;
  if (!config.pins || !runner.pins.knows(name)) return;
  await Promise.race([server.start(), interrupted(terminal)]);
  const { lists } = server;
  if (lists === undefined) return;
  // What is denied is looked at when somebody allows it.
  const changes = runner.pins.changes(name, lists)
    .filter(({ list, key }) => isAllowed(config[list], key));
  if (changes.length === 0) return;
  const lines = changes.flatMap((change) => changeLines(name, change));
  if (by === "yes") lines.forEach((line) => terminal.note(line));
  const question = "May clients have it like this?";
  if (by !== "yes" && !await by(lines, question, terminal.stopped)) {
    throw new GatewayError(
      "not_approved",
      `What has changed in server "${name}" stays hidden, see it again with "mcp-runner approve ${name}"`,
    );
  }
  await runner.pins.accept(name, changes);
}

/** A change in lines for a terminal: nothing of them is unseen. */
export function changeLines(
  server: string,
  { list, key, before, after }: ChangedDefinition,
): readonly string[] {
  const what = list === "tools" ? "Tool" : "Prompt";
  const now = definitionLines(after);
  const diff = before === undefined
    ? ["  (what it was could not be kept; this is what it is now)", ...now.map(added)]
    : lineDiff(definitionLines(before), now);
  return [
    `${what} "${visible(key)}" of server "${server}" has changed:`,
    ...diff.map(visible),
    ...suspicionsOf({ key, raw: after }).map((why) => `warning: it ${why}`),
  ];
}

function added(line: string): string {
  return `+ ${line}`;
}
