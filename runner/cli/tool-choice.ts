import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { MAX_SERVER_DEPTH, rawMember, scan, stringMember } from "../../src/mcp/scan.ts";
import { visible } from "../policy/invisible.ts";
import { suspicionsOf } from "../policy/suspicion.ts";
import type { ListedEntry } from "../server/listed.ts";
import type { Terminal } from "./terminal.ts";

/** Longest description that is shown, in characters. */
const MAX_SHOWN = 80;

/**
 * Shows the tools of a server to the person at the terminal and asks which are to be allowed.
 *
 * @returns Names, or `*` for all; undefined where nobody is there.
 */
export async function chosen(
  tools: readonly ListedEntry[],
  terminal: Terminal,
): Promise<readonly string[] | undefined> {
  if (!terminal.interactive || tools.length === 0) return undefined;
  terminal.note(`Its ${tools.length} tools:`);
  const width = String(tools.length).length;
  for (const [n, tool] of tools.entries()) {
    const { says, description } = readTool(tool);
    const line = [`${String(n + 1).padStart(width)}  ${tool.key}`, says, description];
    terminal.note(visible(line.filter((part) => part !== "").join("  ")));
    for (const why of suspicionsOf(tool)) terminal.note(`   warning: it ${why}`);
  }
  for (;;) {
    const answer = await terminal.ask(
      "Allow which? all, reads, none, or numbers such as 1,3-5 [none]: ",
    );
    const names = pick(answer, tools);
    if (names !== undefined) return names;
    terminal.note(`"${printable(answer)}" is none of these`);
  }
}

/**
 * What an answer means: `all`, `reads` (tools that say of themselves that they only read), `none`, or
 * numbers from 1 and ranges of them.
 *
 * @returns Undefined for an answer that means nothing.
 */
export function pick(
  answer: string,
  tools: readonly ListedEntry[],
): readonly string[] | undefined {
  const text = answer.trim().toLowerCase();
  if (text === "" || text === "none") return [];
  if (text === "all") return ["*"];
  if (text === "reads") {
    return tools.filter((tool) => readTool(tool).says === "reads").map(({ key }) => key);
  }
  const names = new Set<string>();
  for (const part of text.split(/[\s,]+/)) {
    const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    const first = Number(from);
    const last = Number(to);
    if (!(first >= 1 && last >= first && last <= tools.length)) return undefined;
    for (const { key } of tools.slice(first - 1, last)) names.add(key);
  }
  return [...names];
}

/** What a tool says of itself; nobody vouches for it. */
function readTool({ raw }: ListedEntry) {
  const root = scan(raw, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const hints = hintsOf(rawMember(raw, root, "annotations") ?? "{}");
  const [line = ""] = (stringMember(raw, root, "description") ?? "").trim().split("\n");
  return {
    says: hints.readOnlyHint ? "reads" : hints.destructiveHint ? "DELETES" : "",
    description: line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN - 1)}…` : line,
  };
}

/** The hints of annotations; none where one is there twice: readers could take different ones. */
function hintsOf(annotations: string) {
  try {
    const root = scan(annotations, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
    const isTrue = (name: string) => rawMember(annotations, root, name) === "true";
    return { readOnlyHint: isTrue("readOnlyHint"), destructiveHint: isTrue("destructiveHint") };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { readOnlyHint: false, destructiveHint: false };
  }
}
