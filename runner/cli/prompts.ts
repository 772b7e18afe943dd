import { readArgs, readArguments, usageError } from "./arguments.ts";
import { ASK_OPTIONS, printBlocks, printLists, withAsk } from "./ask.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = { ...ASK_OPTIONS, args: { type: "string" } } as const;

/** `prompts ls | get`: through the endpoint of `--url`, else with containers of its own. */
export async function prompts(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["prompts"] ?? { usage: "" };
  const { values, positionals: [action, name, ...rest] } = readArguments(args, OPTIONS, usage);
  const json = values.json ?? false;
  if (action === "ls" && name === undefined) {
    await withAsk(
      values,
      { usage, terminal },
      (ask) => printLists(ask, ["prompts/list"], { json, terminal }),
    );
  } else if (action === "get" && name !== undefined && rest.length === 0) {
    const members = { name: JSON.stringify(name), arguments: readArgs(values.args ?? "{}") };
    const needs = ({ prefix }: { readonly prefix: string }) => name.startsWith(prefix);
    await withAsk(values, { usage, terminal, needs }, async (ask) => {
      const result = await ask("prompts/get", members);
      if (json) terminal.out(`{"ok":true,"result":${result}}`);
      else printBlocks(result, "messages", terminal);
    });
  } else {
    throw usageError("prompts needs ls, or get and a prompt's name", usage);
  }
}
