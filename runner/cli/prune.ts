import { readdir } from "node:fs/promises";
import { printable } from "../../src/log.ts";
import { connectEngine } from "../docker/engine.ts";
import { prune as pruneEngine, type Pruned } from "../docker/prune.ts";
import { openHome } from "../local/home.ts";
import { forgetDeadOwners, isAlive, livesHere } from "../local/owner.ts";
import { JSON_OPTION, readArguments, usageError } from "./arguments.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = { ...JSON_OPTION, volumes: { type: "boolean" } } as const;

/** `prune`: removes what killed runners left behind, and with `--volumes` the data of servers. */
export async function prune(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["prune"] ?? { usage: "" };
  const { values, positionals } = readArguments(args, OPTIONS, usage);
  if (positionals.length > 0) throw usageError("prune takes no names", usage);
  const home = await openHome();
  const engine = await connectEngine(terminal.env);
  // Nobody but a runner knows which volumes its idle servers have, so while one lives all are kept.
  const lives = await anyRunner(home);
  const pruned = await pruneEngine(engine, {
    isAlive: (owner) => isAlive(home, owner),
    isUsed: async () => lives,
    volumes: values.volumes ?? false,
  });
  if (pruned.failures.length === 0) await forgetDeadOwners(home);
  for (const failure of pruned.failures) terminal.note(`warning: ${printable(failure)}`);
  const { containers, networks, folders, volumes, kept, failures } = pruned;
  if (values.json) {
    const ok = failures.length === 0;
    terminal.out(JSON.stringify({ ok, containers, networks, folders, volumes, kept }));
  } else for (const line of report(pruned)) terminal.out(line);
}

/** What was removed, in lines for people. */
function report({ containers, networks, folders, volumes, kept }: Pruned): readonly string[] {
  const counts = [[containers, "container"], [networks, "network"], [folders, "folder"]] as const;
  const removed = [
    ...counts.filter(([count]) => count > 0)
      .map(([count, what]) => `Removed ${count} ${what}${count === 1 ? "" : "s"}`),
    ...volumes.map((name) => `Removed volume ${printable(name)}`),
  ];
  return [
    ...(removed.length > 0 ? removed : ["Nothing to remove"]),
    ...kept.map((name) => `Kept volume ${printable(name)}: a runner or a container uses it`),
  ];
}

/** Whether a runner of this state directory lives. */
async function anyRunner(home: string): Promise<boolean> {
  const pipes = process.platform === "win32";
  const names = await readdir(pipes ? "\\\\.\\pipe\\" : home);
  const form = pipes ? /^mcp-runner-([0-9a-f-]{36})$/ : /^([0-9a-f-]{36})\.sock$/;
  const owners = names.flatMap((name) => form.exec(name)?.[1] ?? []);
  return (await Promise.all(owners.map((owner) => livesHere(home, owner)))).includes(true);
}
