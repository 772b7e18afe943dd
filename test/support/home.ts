/**
 * The whole worker in memory: its real app over a real home, with a clock that stands still and a store
 * in a `Map`. At the one end are clients that send requests, at the other a runner that the test plays
 * by hand, frame by frame.
 *
 * @module
 */
import type { Level } from "../../src/log.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type Header,
  type HeaderOf,
} from "../../src/tunnel/frame.ts";
import type { WireEvents } from "../../src/tunnel/wire.ts";
import { grantFinder } from "../../worker/access/grants.ts";
import { createClientToken, createTunnelToken } from "../../worker/access/ledger.ts";
import { createApp, DEFAULT_TUNNEL } from "../../worker/app.ts";
import { type OriginPolicy, originPolicy } from "../../worker/front/origin.ts";
import type { PageLimits } from "../../worker/home/page.ts";
import { memoryHub } from "../../worker/hub/memory.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { type MemoryStore, memoryStore } from "./store-memory.ts";

/** What a test may choose of its worker; a second one over the same store is a restart. */
export interface WorkerOptions {
  readonly clock?: FakeClock;
  readonly store?: MemoryStore;
  readonly origins?: OriginPolicy;
  /** Small pages of lists. */
  readonly pageLimits?: PageLimits;
}

/** A worker in memory. */
export interface TestWorker {
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly logged: ReadonlyArray<{ level: Level; message: string; fields: object }>;
  /** Sends one HTTP request to the app. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** A new client token that grants `tools`: everything unless given. */
  client(...tools: readonly string[]): Promise<Client>;
  tunnelToken(): Promise<Credential>;
  /** Opens a tunnel, with these headers beside the usual ones; its first message is still to come. */
  dial(token: string, headers?: Readonly<Record<string, string>>): Promise<FakeRunner>;
  /** Opens a tunnel, says hello, is welcome, and offers `tools` if there are any. */
  runner(options?: RunnerOptions): Promise<FakeRunner>;
  /** Tells clients that listen and every runner that the worker stops. */
  drain(): void;
}

/** A token and its id. */
export interface Credential {
  readonly id: string;
  readonly token: string;
}

/** A client of one worker. */
export type Client = Credential & { readonly worker: TestWorker };

/** What a fake runner says of itself. */
export interface RunnerOptions {
  readonly token?: string;
  readonly id?: string;
  readonly machine?: string;
  readonly maxCalls?: number;
  /** Qualified names; each server is listed. */
  readonly tools?: readonly string[];
  /** In place of `tools`. */
  readonly servers?: readonly ServerFacts[];
}

/** The far end of a tunnel, played by a test. */
export interface FakeRunner {
  readonly token: string;
  /** Every message that the worker has sent before it closed. */
  readonly sent: readonly string[];
  /** How often and how the worker has closed. */
  readonly closes: ReadonlyArray<{ code: number; reason: string }>;
  /** Sends a frame; a payload that is no text is written as JSON. */
  say(header: Header, payload?: unknown): void;
  /** Sends any text message. */
  text(message: string): void;
  /** The next frame of this type that was not asked for yet; waits for it. */
  next<Type extends Header["type"]>(type: Type): Promise<FrameOf<Type>>;
  /** Frames of this type so far. */
  all<Type extends Header["type"]>(type: Type): ReadonlyArray<FrameOf<Type>>;
  offer(...tools: readonly string[]): void;
  offerServers(...servers: readonly ServerFacts[]): void;
  /** The connection ends. */
  lose(code?: number): void;
}

/** A frame of one type. */
export type FrameOf<Type extends Header["type"]> = Omit<Frame, "header"> & {
  readonly header: HeaderOf<Type>;
};

/** A result as servers give it. */
export const RESULT = '{"content":[{"type":"text","text":"ok"}]}';

/** Starts a worker in memory. */
export function startWorkerInMemory(options: WorkerOptions = {}): TestWorker {
  const clock = options.clock ?? fakeClock();
  const now = () => clock.now();
  const store = options.store ?? memoryStore(now);
  const logged: Array<{ level: Level; message: string; fields: object }> = [];
  const log = (level: Level, message: string, fields = {}): void =>
    void logged.push({ level, message, fields });
  const { pageLimits } = options;
  const hub = memoryHub({ store, clock, log, ...(pageLimits && { pageLimits }) });
  const app = createApp({
    hub,
    store,
    log,
    now,
    findGrant: grantFinder(store, { now }),
    findGrantNow: grantFinder(store, { now, cacheMs: 0 }),
    origins: options.origins ?? originPolicy({}, "loopback"),
  });
  const noUpgrade = (): never => {
    throw new TypeError("This request was not to be upgraded");
  };
  const worker: TestWorker = {
    clock,
    store,
    logged,
    request: async (path, init) =>
      await app.request(new Request(new URL(path, ORIGIN), init), undefined, {
        upgrade: noUpgrade,
      }),
    async client(...tools) {
      const { bearer, token } = await createClientToken(store, {
        tunnel: DEFAULT_TUNNEL,
        name: "ci",
        tools: tools.length === 0 ? ["*"] : tools,
        now,
      });
      return { id: token.id, token: bearer, worker };
    },
    async tunnelToken() {
      const wanted = { tunnel: DEFAULT_TUNNEL, name: "ada-laptop", now };
      const { bearer, token } = await createTunnelToken(store, wanted);
      return { id: token.id, token: bearer };
    },
    async dial(token, headers = {}) {
      let runner: FakeRunner | undefined;
      const init = { headers: { ...upgradeHeaders(token), ...headers } };
      const response = await app.request(`${ORIGIN}/tunnel`, init, {
        upgrade: (_, open) => {
          runner = fakeRunner(token, open);
          return new Response(null, { status: 204 });
        },
      });
      if (runner === undefined) throw new Error(`Refused: ${await response.text()}`);
      return runner;
    },
    async runner({ token, tools = [], servers, ...hello } = {}) {
      const runner = await worker.dial(token ?? (await worker.tunnelToken()).token);
      runner.say(helloOf(hello));
      await runner.next("welcome");
      if (servers !== undefined) runner.offerServers(...servers);
      else if (tools.length > 0) runner.offer(...tools);
      return runner;
    },
    drain: () => hub.drain(),
  };
  return worker;
}

const ORIGIN = "http://localhost:8787";

/** Headers that open a tunnel. */
export function upgradeHeaders(token: string): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    upgrade: "websocket",
    "sec-websocket-protocol": "mcpr.v1",
  };
}

/** A hello, of one and the same runner unless told otherwise. */
export function helloOf(
  options: Omit<RunnerOptions, "token" | "tools" | "servers"> = {},
): HeaderOf<"hello"> {
  const { id = "2b7c3db9", machine = "ada-laptop", maxCalls = 256 } = options;
  const runner = { id, machine, os: "linux", version: "0.1.0" };
  return { type: "hello", runner, boot: "6c1f0f9e", features: [], maxCalls };
}

/** What a test says of a server; the rest is as servers usually are. */
export interface ServerFacts {
  readonly name: string;
  readonly prefix?: string;
  readonly listed?: boolean;
  readonly reads?: boolean;
  readonly instructions?: string;
  /** Names of tools and prompts as clients see them. */
  readonly tools?: readonly string[];
  readonly prompts?: readonly string[];
  /** URIs and URI templates. */
  readonly resources?: readonly string[];
  readonly templates?: readonly string[];
}

/** The payload of an offer of these servers. */
export function offerOfServers(...servers: readonly ServerFacts[]): string {
  return JSON.stringify({
    servers: servers.map((server) => {
      const { name, prefix = `${name}__`, listed = true, instructions = "" } = server;
      const { tools = [], prompts = [], resources = [], templates = [] } = server;
      return {
        name,
        prefix,
        listed,
        reads: server.reads ?? resources.length + templates.length > 0,
        instructions,
        tools: tools.map((tool) => ({ name: tool, inputSchema: { type: "object" } })),
        prompts: prompts.map((prompt) => ({ name: prompt })),
        resources: resources.map((uri) => ({ uri, name: uri })),
        resourceTemplates: templates.map((uriTemplate) => ({ uriTemplate, name: uriTemplate })),
      };
    }),
  });
}

/** The payload of an offer of the raw text of `tools`, all of one server. */
export function offerOfRawTools(server: string, tools: string): string {
  return offerOfServers({ name: server }).replace('"tools":[]', () => `"tools":${tools}`);
}

/** The payload of an offer of these tools. */
export function offerOf(...tools: readonly string[]): string {
  const servers = Map.groupBy(tools, (name) => name.split("__")[0] ?? "");
  return offerOfServers(...[...servers].map(([name, names]) => ({ name, tools: names })));
}

function fakeRunner(
  token: string,
  open: (
    wire: { send(text: string): void; close(code: number, reason: string): void },
  ) => WireEvents,
): FakeRunner {
  const sent: string[] = [];
  const frames: Record<string, Frame[]> = {};
  const closes: Array<{ code: number; reason: string }> = [];
  const asked = new Map<string, number>();
  let arrived = Promise.withResolvers<void>();
  const events = open({
    send(text) {
      if (closes.length > 0) return;
      sent.push(text);
      const frame = text.startsWith("{") ? decodeFrame(text) : undefined;
      if (frame !== undefined) (frames[frame.header.type] ??= []).push(frame);
      arrived.resolve();
      arrived = Promise.withResolvers();
    },
    close(code, reason) {
      // As every WebSocket does, and nobody expects of it.
      if (new TextEncoder().encode(reason).length > 123) throw new RangeError("Reason too long");
      closes.push({ code, reason });
    },
  });
  const all = <Type extends Header["type"]>(type: Type) =>
    (frames[type] ?? []) as unknown as ReadonlyArray<FrameOf<Type>>;
  const runner: FakeRunner = {
    token,
    sent,
    closes,
    all,
    text: (message) => events.message(message),
    say: (header, payload = "") =>
      events.message(
        encodeFrame(header, typeof payload === "string" ? payload : JSON.stringify(payload)),
      ),
    async next(type) {
      const index = asked.get(type) ?? 0;
      asked.set(type, index + 1);
      for (;;) {
        const frame = all(type)[index];
        if (frame !== undefined) return frame;
        await arrived.promise;
      }
    },
    offer: (...tools) => runner.say({ type: "offer", revision: 1 }, offerOf(...tools)),
    offerServers: (...servers) =>
      runner.say({ type: "offer", revision: 1 }, offerOfServers(...servers)),
    lose: (code = 1006) => events.closed(code, ""),
  };
  return runner;
}

/** How a request is sent; a header that is undefined is left out. */
export interface SendOptions {
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** The JSON-RPC id: 1 unless given. */
  readonly id?: unknown;
}

/** A session of a client that speaks a legacy revision. */
export interface Session {
  readonly client: Client;
  readonly id: string;
}

/** A JSON-RPC message as the tests look at it. */
export interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

/** `_meta` of a modern request. */
export const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** Sends `body` as it is to the MCP endpoint. */
export function post(
  { worker, token }: Client,
  body: BodyInit,
  { headers = {}, signal }: SendOptions = {},
): Promise<Response> {
  const all = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...headers,
  };
  const sent = Object.entries(all).filter((entry): entry is [string, string] =>
    entry[1] !== undefined
  );
  return worker.request("/mcp", { method: "POST", body, headers: sent, ...(signal && { signal }) });
}

/** `_meta` of a client that declares the tasks extension. */
const TASKS_META = {
  ...MODERN_META,
  "io.modelcontextprotocol/clientCapabilities": {
    extensions: { "io.modelcontextprotocol/tasks": {} },
  },
};

/**
 * Sends a request of 2026-07-28 with the headers that belong to it; its client declares the tasks
 * extension if that is what the method is of.
 */
export function modern(
  client: Client,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  { headers, signal, id = 1 }: SendOptions = {},
): Promise<Response> {
  const _meta = method.startsWith("tasks/") ? TASKS_META : MODERN_META;
  const body = { jsonrpc: "2.0", id, method, params: { _meta, ...params } };
  const name = params["name"] ?? params["uri"] ?? params["taskId"];
  return post(client, JSON.stringify(body), {
    ...(signal && { signal }),
    headers: {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof name === "string" && { "mcp-name": mirrored(name) }),
      ...headers,
    },
  });
}

/** A header that stands for `name`: itself, or a sentinel for what a header cannot hold. */
export function mirrored(name: string): string {
  if (/^[\x21-\x7e]*$/.test(name)) return name;
  return `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(name)))}?=`;
}

/** Calls the tool `name` as a client of 2026-07-28. */
export function callTool(client: Client, name: string, options?: SendOptions): Promise<Response> {
  return modern(client, "tools/call", { name }, options);
}

/** Initializes a session. */
export async function openSession(client: Client, version = "2025-11-25"): Promise<Session> {
  const params = {
    protocolVersion: version,
    capabilities: {},
    clientInfo: { name: "t", version: "1" },
  };
  const body = { jsonrpc: "2.0", id: 0, method: "initialize", params };
  const response = await post(client, JSON.stringify(body));
  return { client, id: response.headers.get("mcp-session-id") ?? "" };
}

/** Sends a request within a session; with the id `null` it is a notification. */
export function inSession(
  { client, id: session }: Session,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  { headers, signal, id = 1 }: SendOptions = {},
): Promise<Response> {
  const body = { jsonrpc: "2.0", ...(id !== null && { id }), method, params };
  return post(client, JSON.stringify(body), {
    ...(signal && { signal }),
    headers: { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25", ...headers },
  });
}

/** The one JSON-RPC message that a response is. */
export async function messageOf(response: Response): Promise<Message> {
  return await response.json() as Message;
}

/** Names of the tools in the response to a tools/list. */
export async function toolNamesIn(response: Response): Promise<readonly string[]> {
  const { result = {} } = await messageOf(response);
  return (result["tools"] as Array<{ name: string }>).map(({ name }) => name);
}

/** Reads a stream piece by piece, as it was written. */
export function piecesOf(response: Response): { next(): Promise<string>; leave(): Promise<void> } {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  return {
    next: async () => decoder.decode((await reader?.read())?.value),
    leave: async () => await reader?.cancel(),
  };
}
