import type { Confirm } from "../approval/approvals.ts";
import { confirm, type Terminal } from "./terminal.ts";

/** Who agrees to how servers are run: `--yes`, or the person at the terminal, or nobody. */
export function approver(
  yes: boolean | undefined,
  terminal: Terminal,
): "yes" | Confirm | undefined {
  if (yes === true) return "yes";
  if (!terminal.interactive) return undefined;
  return (lines, question, signal) => confirm(terminal, lines, question, signal);
}
