import { type Revision, scenariosOf, TASK_SCENARIOS } from "./scenarios.ts";

/** A build of the fixture, see fixture/main.ts. */
export type Build = "dual" | "modern" | "legacy";

/** Releases of the suite: the one for everybody, and the one that knows MCP 2026-07-28. */
export type Release = "stable" | "next";

/** What is run in one go: scenarios of one revision, with one build of the server behind. */
export interface ScenarioSet {
  readonly name: string;
  /** What a pass would show. */
  readonly claim: string;
  readonly release: Release;
  /** Arguments of the suite, one list for each time that it is run. */
  readonly runs: readonly (readonly string[])[];
  readonly build: Build;
  /** All of them must have run. */
  readonly scenarios: readonly string[];
}

/** In the order in which they run. */
export const SETS: readonly ScenarioSet[] = [
  {
    name: "2025-11-25-stable",
    claim: "MCP 2025-11-25, by the suite's stable release",
    release: "stable",
    runs: [["--suite", "all"]],
    build: "dual",
    scenarios: scenariosOf("2025-11-25").filter((name) => name !== "server-session-lifecycle"),
  },
  {
    name: "2025-11-25",
    claim: "MCP 2025-11-25",
    release: "next",
    runs: [["--requirements", "2025-11-25"]],
    build: "dual",
    scenarios: scenariosOf("2025-11-25"),
  },
  {
    name: "2026-07-28",
    claim: "MCP 2026-07-28 with tasks",
    release: "next",
    runs: [["--requirements", "2026-07-28"]],
    build: "dual",
    scenarios: [...scenariosOf("2026-07-28"), ...TASK_SCENARIOS],
  },
  older("2025-06-18"),
  older("2025-03-26"),
  {
    name: "tasks",
    claim: "Tasks, made of calls to a server that knows none",
    release: "next",
    runs: TASK_SCENARIOS.map((name) => ["--scenario", name]),
    build: "modern",
    scenarios: TASK_SCENARIOS,
  },
  {
    name: "2026-07-28-legacy-server",
    claim: "MCP 2026-07-28 in front of a server that never heard of it",
    release: "next",
    runs: [["--requirements", "2026-07-28"]],
    build: "legacy",
    scenarios: [...scenariosOf("2026-07-28"), ...TASK_SCENARIOS],
  },
  {
    name: "2025-11-25-modern-server",
    claim: "MCP 2025-11-25 in front of a server that refuses it",
    release: "next",
    runs: [["--requirements", "2025-11-25"]],
    build: "modern",
    scenarios: scenariosOf("2025-11-25"),
  },
];

function older(revision: Revision): ScenarioSet {
  return {
    name: revision,
    claim: `MCP ${revision}`,
    release: "next",
    runs: [["--suite", "all", "--spec-version", revision]],
    build: "dual",
    scenarios: scenariosOf(revision),
  };
}
