/**
 * One task as it is kept and as clients see it (SEP-2663 "Tasks").
 *
 * @module
 */
import * as v from "valibot";
import { MAX_SERVER_DEPTH, rawMember, scan, spliceObject } from "../../src/mcp/scan.ts";

/**
 * How long a task can be asked for, in milliseconds from its creation: what somebody starts in the
 * evening is still there the next evening, and is gone before results pile up.
 */
export const TTL_MS = 24 * 3_600_000;

/** How often clients are asked to poll, in milliseconds: what is over in less was hardly a task. */
export const POLL_INTERVAL_MS = 1_000;

/** Longest `statusMessage`, in UTF-16 code units: servers write some of them. */
const MAX_STATUS_MESSAGE_LENGTH = 500;

const RELATED_TASK_KEY = "io.modelcontextprotocol/related-task";

/** Form of a task's id: 128 random bits. */
export const TASK_ID = /^task_[0-9a-f]{32}$/;

/** A task without what it holds; the members of a file's first line. */
export const taskRecord = v.object({
  version: v.literal(1),
  id: v.pipe(v.string(), v.regex(TASK_ID)),
  /** The process that runs it, as `Owner.id`. */
  owner: v.string(),
  /** Id of the client token that may ask for it. */
  client: v.string(),
  status: v.picklist(["working", "completed", "failed", "cancelled"]),
  statusMessage: v.exactOptional(v.string()),
  /** Milliseconds since the epoch, like `updatedAt`. */
  createdAt: v.number(),
  updatedAt: v.number(),
  ttlMs: v.number(),
});

/** What is known of a task; `working` also while it waits for input, which no other process can go on with. */
export type TaskRecord = Readonly<v.InferOutput<typeof taskRecord>>;

/** How a task ended. */
export interface Ending {
  readonly status: "completed" | "failed" | "cancelled";
  readonly statusMessage?: string;
  /** JSON text of the result of a completed task, of the JSON-RPC error of a failed one; else empty. */
  readonly body: string;
}

/** The record after its end at `now`. */
export function endedRecord(record: TaskRecord, ending: Ending, now: number): TaskRecord {
  const { status, statusMessage } = ending;
  return {
    ...record,
    status,
    updatedAt: now,
    ...(statusMessage !== undefined && {
      statusMessage: statusMessage.slice(0, MAX_STATUS_MESSAGE_LENGTH),
    }),
  };
}

/** What a task shows beside its record. */
export interface Shown {
  /** JSON text of the `inputRequests` that have no answer; undefined unless it waits for input. */
  readonly inputRequests?: string | undefined;
  /** As in `Ending`. */
  readonly body?: string;
}

/** JSON text of the CreateTaskResult of a task that clients know as `taskId`. */
export function createResult(taskId: string, record: TaskRecord): string {
  return `{"resultType":"task",${members(taskId, record, record.status)}}`;
}

/** JSON text of what `tasks/get` answers. */
export function getResult(taskId: string, record: TaskRecord, shown: Shown): string {
  const { inputRequests, body } = shown;
  const status = inputRequests === undefined ? record.status : "input_required";
  let inlined = "";
  if (inputRequests !== undefined) inlined = `,"inputRequests":${inputRequests}`;
  else if (status === "completed") inlined = `,"result":${body}`;
  else if (status === "failed") inlined = `,"error":${body}`;
  return `{"resultType":"complete",${members(taskId, record, status)}${inlined}}`;
}

function members(taskId: string, record: TaskRecord, status: string): string {
  const { statusMessage, createdAt, updatedAt, ttlMs } = record;
  const text = JSON.stringify({
    taskId,
    status,
    statusMessage,
    createdAt: new Date(createdAt).toISOString(),
    lastUpdatedAt: new Date(updatedAt).toISOString(),
    ttlMs,
    pollIntervalMs: POLL_INTERVAL_MS,
  });
  return text.slice(1, -1);
}

/**
 * A result without the `_meta` key by which results of MCP 2025-11-25 name their task: here the id
 * stands beside it.
 */
export function withoutRelatedTask(result: string): string {
  // Only `_meta` is outlined: what else is in a result may be long, and is not ours to judge.
  const outline = scan(result, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const text = rawMember(result, outline, "_meta");
  const meta = text && scan(text, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  if (!text || !meta || !meta.members.has(RELATED_TASK_KEY)) return result;
  const kept = spliceObject(text, meta, { [RELATED_TASK_KEY]: null });
  return spliceObject(result, outline, { _meta: kept === "{}" ? null : kept });
}
