import { readArguments, usageError } from "./arguments.ts";
import { ASK_OPTIONS, printBlocks, printLists, withAsk } from "./ask.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

/** `resources ls | read`: through the endpoint of `--url`, else with containers of its own. */
export async function resources(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["resources"] ?? { usage: "" };
  const { values, positionals: [action, uri, ...rest] } = readArguments(args, ASK_OPTIONS, usage);
  const json = values.json ?? false;
  if (action === "ls" && uri === undefined) {
    await withAsk(values, { usage, terminal }, async (ask) => {
      await printLists(ask, ["resources/list", "resources/templates/list"], { json, terminal });
    });
  } else if (action === "read" && uri !== undefined && rest.length === 0) {
    await withAsk(values, { usage, terminal }, async (ask) => {
      const result = await ask("resources/read", { uri: JSON.stringify(uri) });
      if (json) terminal.out(`{"ok":true,"result":${result}}`);
      else printBlocks(result, "contents", terminal);
    });
  } else {
    throw usageError("resources needs ls, or read and a URI", usage);
  }
}
