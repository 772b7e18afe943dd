import { GatewayError } from "../../src/errors.ts";
import { MAX_SERVER_DEPTH, rawMember, scan } from "../../src/mcp/scan.ts";
import { readArgs, readArguments, usageError } from "./arguments.ts";
import { type Ask, ASK_OPTIONS, printBlocks, printLists, withAsk } from "./ask.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = { ...ASK_OPTIONS, args: { type: "string" } } as const;

/** `tools ls | call`: through the endpoint of `--url`, else with containers of its own. */
export async function tools(args: readonly string[], terminal: Terminal): Promise<number> {
  const { usage } = commands["tools"] ?? { usage: "" };
  const { values, positionals: [action, name, ...rest] } = readArguments(args, OPTIONS, usage);
  const output = { json: values.json ?? false, terminal };
  if (action === "ls" && name === undefined) {
    await withAsk(values, { usage, terminal }, (ask) => printLists(ask, ["tools/list"], output));
  } else if (action === "call" && name !== undefined && rest.length === 0) {
    const given = readArgs(values.args ?? "{}");
    const needs = ({ prefix }: { readonly prefix: string }) => name.startsWith(prefix);
    let code = 0;
    await withAsk(values, { usage, terminal, needs }, async (ask) => {
      code = await call(ask, name, given, output);
    });
    return code;
  } else {
    throw usageError("tools needs ls, or call and a tool's name", usage);
  }
  return 0;
}

/** @returns The exit code: a tool's own failure is a result, and one document with it. */
async function call(
  ask: Ask,
  name: string,
  args: string,
  { json, terminal }: { readonly json: boolean; readonly terminal: Terminal },
): Promise<number> {
  const result = await ask("tools/call", { name: JSON.stringify(name), arguments: args });
  const root = scan(result, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const failed = rawMember(result, root, "isError") === "true";
  const error = new GatewayError("server_failed", `The tool "${name}" answered with an error`);
  const { code, message } = error;
  if (!json) printBlocks(result, "content", terminal);
  else if (!failed) terminal.out(`{"ok":true,"result":${result}}`);
  else terminal.out(`{"ok":false,"error":${JSON.stringify({ code, message })},"result":${result}}`);
  if (failed) terminal.note(`mcp-runner: ${message}`);
  return failed ? 1 : 0;
}
