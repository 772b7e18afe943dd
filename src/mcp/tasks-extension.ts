import * as v from "valibot";
import { GatewayError } from "../errors.ts";
import { claimsModern } from "./revisions.ts";

/** Id of the tasks extension, in the capabilities of both sides (SEP-2663). */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

const declaring = v.object({
  extensions: v.object({ [TASKS_EXTENSION]: v.record(v.string(), v.unknown()) }),
});

/**
 * Whether the caller declared the extension with this very request. Legacy clients cannot: their
 * revisions have no result of the type `task`.
 */
export function declaresTasks(
  { protocolVersion, capabilities }: {
    readonly protocolVersion: string;
    readonly capabilities: unknown;
  },
): boolean {
  return claimsModern(protocolVersion) && v.is(declaring, capabilities);
}

/** That the caller has to declare the extension, as SEP-2663 "Capability Negotiation" wants it said. */
export function tasksNotDeclared(): GatewayError {
  return new GatewayError(
    "missing_capability",
    `Cannot take the request: the client has not declared the extension ${TASKS_EXTENSION}`,
    { data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } } },
  );
}
