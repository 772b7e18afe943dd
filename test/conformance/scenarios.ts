/**
 * The suite's server scenarios, and which revision's wire each is for. The table is ours so that a scenario
 * that does not run is missed; a test holds it against the lists that the suite brings along.
 *
 * @module
 */

/** Revisions that the suite knows, oldest first; the names of the columns below. */
const REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] as const;

/** A revision that the suite knows. */
export type Revision = typeof REVISIONS[number];

/** Where a scenario first and last applies. */
type Span = readonly [first: Revision, last: Revision];

const SINCE_JUNE: Span = ["2025-06-18", "2026-07-28"];
const OLD_SINCE_JUNE: Span = ["2025-06-18", "2025-11-25"];
const OLD_ONLY: Span = ["2025-11-25", "2025-11-25"];
const SINCE_NOVEMBER: Span = ["2025-11-25", "2026-07-28"];
const MODERN: Span = ["2026-07-28", "2026-07-28"];

const CORE: Readonly<Record<string, Span>> = {
  "server-initialize": OLD_SINCE_JUNE,
  "server-session-lifecycle": ["2025-03-26", "2025-11-25"],
  "server-stateless": MODERN,
  "logging-set-level": OLD_SINCE_JUNE,
  "ping": OLD_SINCE_JUNE,
  "completion-complete": SINCE_JUNE,
  "tools-list": SINCE_JUNE,
  "tools-call-simple-text": SINCE_JUNE,
  "tools-call-image": SINCE_JUNE,
  "tools-call-audio": SINCE_JUNE,
  "tools-call-embedded-resource": SINCE_JUNE,
  "tools-call-mixed-content": SINCE_JUNE,
  "tools-call-with-logging": OLD_SINCE_JUNE,
  "tools-call-error": SINCE_JUNE,
  "tools-call-with-progress": SINCE_JUNE,
  "tools-call-sampling": OLD_SINCE_JUNE,
  "tools-call-elicitation": OLD_SINCE_JUNE,
  "json-schema-2020-12": SINCE_NOVEMBER,
  "elicitation-sep1034-defaults": OLD_ONLY,
  "server-sse-polling": OLD_ONLY,
  "server-sse-multiple-streams": SINCE_NOVEMBER,
  "elicitation-sep1330-enums": OLD_ONLY,
  "resources-list": SINCE_JUNE,
  "resources-read-text": SINCE_JUNE,
  "resources-read-binary": SINCE_JUNE,
  "resources-templates-read": SINCE_JUNE,
  "resources-subscribe": OLD_SINCE_JUNE,
  "resources-unsubscribe": OLD_SINCE_JUNE,
  "sep-2164-resource-not-found": MODERN,
  "prompts-list": SINCE_JUNE,
  "prompts-get-simple": SINCE_JUNE,
  "prompts-get-with-args": SINCE_JUNE,
  "prompts-get-embedded-resource": SINCE_JUNE,
  "prompts-get-with-image": SINCE_JUNE,
  "dns-rebinding-protection": SINCE_NOVEMBER,
  "caching": MODERN,
  "http-header-validation": MODERN,
  "http-custom-header-server-validation": MODERN,
  "input-required-result-basic-elicitation": MODERN,
  "input-required-result-basic-sampling": MODERN,
  "input-required-result-basic-list-roots": MODERN,
  "input-required-result-request-state": MODERN,
  "input-required-result-multiple-input-requests": MODERN,
  "input-required-result-multi-round": MODERN,
  "input-required-result-missing-input-response": MODERN,
  "input-required-result-non-tool-request": MODERN,
  "input-required-result-result-type": MODERN,
  "input-required-result-unsupported-methods": MODERN,
  "input-required-result-tampered-state": MODERN,
  "input-required-result-capability-check": MODERN,
  "input-required-result-ignore-extra-params": MODERN,
  "input-required-result-validate-input": MODERN,
};

/** Scenarios of the extension `io.modelcontextprotocol/tasks`; they belong to 2026-07-28. */
export const TASK_SCENARIOS: readonly string[] = [
  "tasks-lifecycle",
  "tasks-capability-negotiation",
  "tasks-wire-fields",
  "tasks-request-state-removal",
  "tasks-mrtr-input",
  "tasks-request-headers",
  "tasks-dispatch-and-envelope",
  "tasks-status-notifications",
  "tasks-required-task-error",
  "tasks-mrtr-composition",
];

/** The scenarios of a revision, without extensions. */
export function scenariosOf(revision: Revision): readonly string[] {
  const place = (it: Revision) => REVISIONS.indexOf(it);
  return Object.entries(CORE)
    .filter(([, [first, last]]) =>
      place(first) <= place(revision) && place(revision) <= place(last)
    )
    .map(([name]) => name);
}
