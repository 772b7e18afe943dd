/**
 * The official clients of both eras in one shape, for tests that do the same with each: they answer what
 * servers ask, and write down what they hear.
 *
 * @module
 */
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { Endpoint } from "./mcp.ts";

/** Eras of clients. */
export const CLIENT_ERAS = ["modern", "legacy"] as const;

/** An era of clients. */
export type ClientEra = (typeof CLIENT_ERAS)[number];

/** How to call a tool. */
export interface CallOptions {
  readonly progress?: (progress: number) => void;
  readonly signal?: AbortSignal;
  /** Asks for log messages, where that is said with the call. */
  readonly logs?: boolean;
}

/** A client that answers everything, or declares nothing at all. */
export interface MatrixClient extends AsyncDisposable {
  /** The text of the tool's result. */
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  /** Resolves when changes of the list of tools will be heard. */
  watchTools(): Promise<void>;
  /** How often the list of tools was said to have changed. */
  readonly changed: readonly unknown[];
  /** Resolves when updates of the resource will be heard. */
  subscribe(uri: string): Promise<void>;
  /** URIs of the resources that the server lists. */
  resources(): Promise<readonly string[]>;
  /** What servers asked, and with which words, in order. */
  readonly asked: readonly string[];
  readonly logged: readonly unknown[];
  readonly updated: readonly string[];
}

const INFO = { name: "matrix", version: "1" };
const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";

interface Notes {
  readonly changed: unknown[];
  readonly asked: string[];
  readonly logged: unknown[];
  readonly updated: string[];
}

/** Connects a client of `era`; one that is `able` answers questions, the other says that it cannot. */
export function openMatrixClient(
  era: ClientEra,
  endpoint: Endpoint,
  able: boolean,
): Promise<MatrixClient> {
  return era === "modern" ? openModern(endpoint, able) : openLegacy(endpoint, able);
}

async function openModern({ origin, token }: Endpoint, able: boolean): Promise<MatrixClient> {
  const notes: Notes = { asked: [], logged: [], updated: [], changed: [] };
  const client = new ModernClient(INFO, {
    capabilities: able ? CAPABILITIES : {},
    versionNegotiation: { mode: { pin: "2026-07-28" } },
  });
  if (able) {
    const answers = answersOf(notes);
    client.setRequestHandler("elicitation/create", ({ params }) => answers.elicit(params));
    client.setRequestHandler("sampling/createMessage", ({ params }) => answers.sample(params));
    client.setRequestHandler("roots/list", () => answers.roots());
  }
  client.setNotificationHandler("notifications/message", ({ params }) => {
    notes.logged.push(params.data);
  });
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
    notes.updated.push(params.uri);
  });
  client.setNotificationHandler("notifications/tools/list_changed", (it) => {
    notes.changed.push(it);
  });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new ModernTransport(new URL("/mcp", origin), { requestInit }));
  return {
    ...notes,
    call: async (name, args = {}, { progress, signal, logs } = {}) => {
      const _meta = logs === true ? { [LOG_LEVEL]: "info" } : {};
      const result = await client.callTool({ name, arguments: args, _meta }, {
        ...(progress && { onprogress: (it) => progress(it.progress) }),
        ...(signal && { signal }),
      });
      return textOf(result);
    },
    watchTools: async () => void await client.listen({ toolsListChanged: true }),
    subscribe: async (uri) => void await client.listen({ resourceSubscriptions: [uri] }),
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function openLegacy({ origin, token }: Endpoint, able: boolean): Promise<MatrixClient> {
  const notes: Notes = { asked: [], logged: [], updated: [], changed: [] };
  const client = new LegacyClient(INFO, { capabilities: able ? CAPABILITIES : {} });
  if (able) {
    const answers = answersOf(notes);
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => answers.elicit(params));
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => answers.sample(params));
    client.setRequestHandler(ListRootsRequestSchema, () => answers.roots());
  }
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    notes.logged.push(params.data);
  });
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
    notes.updated.push(params.uri);
  });
  client.setNotificationHandler(ToolListChangedNotificationSchema, (it) => {
    notes.changed.push(it);
  });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new LegacyTransport(new URL("/mcp", origin), { requestInit }));
  return {
    ...notes,
    call: async (name, args = {}, { progress, signal } = {}) => {
      const result = await client.callTool({ name, arguments: args }, undefined, {
        ...(progress && { onprogress: (it) => progress(it.progress) }),
        ...(signal && { signal }),
      });
      return textOf(result);
    },
    // Its stream for such messages has been open since it connected.
    watchTools: () => Promise.resolve(),
    subscribe: async (uri) => void await client.subscribeResource({ uri }),
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** Answers to what servers ask. */
function answersOf({ asked }: Notes) {
  return {
    elicit: (params: { readonly message: string; readonly url?: unknown }) => {
      asked.push(typeof params.url === "string" ? `url ${params.url}` : `form ${params.message}`);
      const content = { username: "ada", email: "ada@example.com" };
      return typeof params.url === "string"
        ? { action: "accept" as const }
        : { action: "accept" as const, content };
    },
    sample: ({ messages }: { readonly messages: readonly unknown[] }) => {
      asked.push(`sampling ${messages.length}`);
      const content = { type: "text" as const, text: "Paris" };
      return { role: "assistant" as const, content, model: "test", stopReason: "endTurn" as const };
    },
    roots: () => {
      asked.push("roots");
      return { roots: [{ uri: "file:///home/ada", name: "home" }] };
    },
  };
}

function textOf(result: object): string {
  const { content } = result as { readonly content: readonly { readonly text?: string }[] };
  return content.map(({ text = "" }) => text).join("\n");
}
