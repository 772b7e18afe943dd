import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JournalEvent } from "../../runner/journal/event.ts";
import { ToolPins } from "../../runner/policy/tool-pins.ts";
import type { ListedEntry, ServerLists } from "../../runner/server/listed.ts";
import type { ServerRules } from "../../src/policy/allowlist.ts";
import { fakeClock } from "./fake-clock.ts";

/** A state directory, and the pins of one config in it. */
export interface PinBench extends AsyncDisposable {
  readonly home: string;
  readonly warnings: readonly string[];
  readonly journal: readonly JournalEvent[];
  /** How often somebody else has changed a pin. */
  readonly changes: () => number;
  /** The pins as another process of this machine reads them. */
  open(config?: string): Promise<ToolPins>;
}

/** Makes a state directory without pins. */
export async function openPins(): Promise<PinBench> {
  const home = await mkdtemp(join(tmpdir(), "pins-"));
  const warnings: string[] = [];
  const journal: JournalEvent[] = [];
  const opened: ToolPins[] = [];
  let changes = 0;
  return {
    home,
    warnings,
    journal,
    changes: () => changes,
    open: async (config = "/home/ada/mcp-runner.yaml") => {
      const pins = await ToolPins.open({
        home,
        config,
        clock: fakeClock(),
        log: (level, message) => void (level === "warn" && warnings.push(message)),
        journal: { write: (event) => void journal.push(event), close: async () => {} },
        changed: () => void changes++,
      });
      opened.push(pins);
      return pins;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((pins) => pins.settled()));
      await rm(home, { recursive: true });
    },
  };
}

/** An entry as servers list it. */
export function entryOf(name: string, members: object = {}): ListedEntry {
  return { key: name, raw: JSON.stringify({ name, inputSchema: { type: "object" }, ...members }) };
}

/** What a server lists that has these tools. */
export function toolsOf(...tools: readonly ListedEntry[]): ServerLists {
  return {
    tools,
    prompts: [],
    resources: [],
    resourceTemplates: [],
    broken: [],
    reads: false,
    tasks: false,
    instructions: "",
  };
}

const EVERYTHING = { allow: ["*"], deny: [] };

/** Rules that allow all. */
export const ALLOW_ALL: ServerRules = {
  tools: EVERYTHING,
  prompts: EVERYTHING,
  resources: EVERYTHING,
};
