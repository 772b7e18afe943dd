import * as v from "valibot";
import { MAX_SERVER_DEPTH, scan, spliceObject, stringMember } from "../../src/mcp/scan.ts";
import { stickTo, unstick } from "../../src/mcp/sticky.ts";
import { Seal } from "./seal.ts";

/** Marks the ids of servers' own tasks among those of this runner. */
const MARK = "s-";

const payload = v.object({ server: v.string(), client: v.string(), own: v.string() });

/** A task that a server keeps itself. */
export interface ServerTask {
  readonly server: string;
  /** The server's own id for it. */
  readonly own: string;
}

/**
 * Ids under which clients see the tasks that servers keep themselves: signed, so that a client can
 * neither guess one nor use that of another.
 */
export class ServerTaskIds {
  readonly #runner: string;
  readonly #seal = new Seal("taskId");

  constructor(runner: string) {
    this.#runner = runner;
  }

  /** The id for the client whose request has made the task. */
  expose(client: string, { server, own }: ServerTask): string {
    return stickTo(this.#runner, MARK + this.#seal.seal({ server, client, own }));
  }

  /** The task that `id` names for `client`; undefined when it is none of theirs. */
  read(client: string, id: string): ServerTask | undefined {
    const marked = unstick(this.#runner, id);
    if (marked === undefined || !marked.startsWith(MARK)) return undefined;
    const parsed = v.safeParse(payload, this.#seal.open(marked.slice(MARK.length)));
    return parsed.success && parsed.output.client === client ? parsed.output : undefined;
  }
}

/** A task object, or a result that holds one, with its `taskId` as clients see it. */
export function exposeTaskId(text: string, expose: (own: string) => string): string {
  const outline = scan(text, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
  const own = stringMember(text, outline, "taskId");
  return own === undefined
    ? text
    : spliceObject(text, outline, { taskId: JSON.stringify(expose(own)) });
}
