import type { GatewayError } from "../../src/errors.ts";

/** How a server's process ended. */
export interface ProcessExit {
  /** Exit code; null when it was not found out. */
  readonly code: number | null;
  readonly oomKilled: boolean;
  /**
   * `exit`: by itself. `closed`: we ended it. `overflow`: it printed a line beyond the limit.
   * `flood`: it printed too many lines. `stalled`: it did not read its input. `memory`: it stayed at its memory limit without an end.
   * `outside`: somebody else ended its container. `lost`: the connection to the engine broke.
   */
  readonly reason:
    | "exit"
    | "closed"
    | "overflow"
    | "flood"
    | "stalled"
    | "memory"
    | "outside"
    | "lost";
  /** The memory limit, present if it has run into it. */
  readonly memoryBytes?: number;
}

/** A running MCP server and its standard streams. What gives it out sees to its isolation. */
export interface ServerProcess {
  /** Id of the container. */
  readonly id: string;
  /** Writes one line to stdin; the line break is added. Throws a `GatewayError` if it cannot. */
  write(line: string): void;
  onLine(listener: (line: string) => void): void;
  /** The failure of ours that the JSON text of an error stands for; undefined if it is the server's own. */
  failureOf?(error: string): GatewayError | undefined;
  /** Gets the size in bytes of each line that is not text. */
  onGarbage(listener: (bytes: number) => void): void;
  onStderr(listener: (line: string) => void): void;
  /** Resolves when it has ended, however it did. */
  readonly exited: Promise<ProcessExit>;
  /** Asks it to end, then makes it; resolves when nothing of it is left. */
  stop(graceMs: number): Promise<void>;
}

/** The end in words, for a message. */
export function describeExit({ code, oomKilled, reason, memoryBytes }: ProcessExit): string {
  if (oomKilled || reason === "memory") {
    const limit = memoryBytes === undefined ? "" : ` (limit ${size(memoryBytes)})`;
    return `it ran out of memory${limit}, raise limits.memory in mcp-runner.yaml`;
  }
  switch (reason) {
    case "overflow":
      return "it printed a line longer than the limit and was stopped";
    case "flood":
      return "it flooded stdout with lines and was stopped, it should log to stderr";
    case "stalled":
      return "it did not read its input and was stopped";
    case "outside":
      return "its container was ended from outside, as docker stop, kill and rm do";
    case "lost":
      return "the connection to the Docker engine broke";
    case "closed":
      return "it was stopped";
    case "exit":
      return code === null ? "it ended" : `it exited with code ${code}`;
  }
}

/** Bytes as the config has them, in the largest unit without a rest. */
function size(bytes: number): string {
  for (const [unit, factor] of [["g", 1024 ** 3], ["m", 1024 ** 2], ["k", 1024]] as const) {
    if (bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}`;
}
