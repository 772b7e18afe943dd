/**
 * What commands ask a gateway: through the endpoint of `--url`, else of one with containers of its own,
 * which are gone afterwards.
 *
 * @module
 */
import { systemClock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { OFFERED_LISTS, type OfferedList } from "../../src/mcp/offer.ts";
import { LATEST_LEGACY_REVISION } from "../../src/mcp/revisions.ts";
import { MAX_SERVER_DEPTH, scan, stringMember } from "../../src/mcp/scan.ts";
import { request } from "../client/mcp-client.ts";
import { callTool } from "../client/tool-call.ts";
import { loadConfig, type ServerConfig } from "../config/config.ts";
import { selectProfile } from "../config/profile.ts";
import { openHome } from "../local/home.ts";
import { createRunner, type Runner } from "../runner.ts";
import { approver } from "./approving.ts";
import { DEFAULT_CONFIG, START_OPTIONS, usageError } from "./arguments.ts";
import { humanLog, interrupted, type Terminal } from "./terminal.ts";

/** Options of every command that asks a gateway. */
export const ASK_OPTIONS = {
  ...START_OPTIONS,
  url: { type: "string" },
  token: { type: "string" },
} as const;

/** Milliseconds that a call from the command line may take. */
const DEADLINE_MS = 290_000;

/** Asks a gateway, near or far: a method and raw members of its params, for the raw result. */
export type Ask = (method: string, members?: Readonly<Record<string, string>>) => Promise<string>;

/** Where to ask. */
export interface AskOptions {
  readonly config?: string | undefined;
  readonly profile?: string | undefined;
  readonly yes?: boolean | undefined;
  readonly url?: string | undefined;
  readonly token?: string | undefined;
}

/** How to ask. */
export interface AskContext {
  readonly usage: string;
  readonly terminal: Terminal;
  /** Which servers of the config are needed; all unless given. */
  readonly needs?: (server: ServerConfig) => boolean;
}

/** Runs `work` with a gateway to ask. */
export async function withAsk(
  { url, token: given, ...start }: AskOptions,
  { usage, terminal, needs }: AskContext,
  work: (ask: Ask) => Promise<void>,
): Promise<void> {
  if (url === undefined) {
    await withRunner({ ...start, needs }, terminal, (runner) => work(localAsk(runner)));
    return;
  }
  const token = given ?? terminal.env["MCP_RUNNER_TOKEN"];
  if (token === undefined) throw usageError("--url needs --token, or MCP_RUNNER_TOKEN", usage);
  const endpoint = { url, token };
  await work((method, members = {}) => {
    const { name, arguments: args } = members;
    return method === "tools/call" && name !== undefined && args !== undefined
      ? callTool(endpoint, { name, arguments: args })
      : request(endpoint, method, members);
  });
}

/** Runs `work` with servers of this command's own, all started that can be. */
export async function withRunner(
  { config = DEFAULT_CONFIG, profile, yes, fresh = false, needs = () => true }: {
    readonly config?: string | undefined;
    readonly profile?: string | undefined;
    readonly yes?: boolean | undefined;
    readonly needs?: AskContext["needs"];
    /** See `RunnerOptions.fresh`. */
    readonly fresh?: boolean;
  },
  terminal: Terminal,
  work: (runner: Runner) => Promise<void>,
): Promise<void> {
  const loaded = selectProfile(await loadConfig(config), profile);
  const runner = await createRunner({
    config: { ...loaded, servers: loaded.servers.filter(needs) },
    home: await openHome(),
    env: terminal.env,
    clock: systemClock,
    log: humanLog(terminal),
    approve: approver(yes, terminal),
    fresh,
    changed: () => {},
  });
  try {
    await Promise.race([runner.gateway.start().then(() => work(runner)), interrupted(terminal)]);
  } finally {
    await runner.stop();
  }
}

/** Lists of MCP by the method that asks for them. */
const LISTS: ReadonlyMap<string, OfferedList> = new Map<string, OfferedList>([
  ["tools/list", "tools"],
  ["prompts/list", "prompts"],
  ["resources/list", "resources"],
  ["resources/templates/list", "resourceTemplates"],
]);

function localAsk({ gateway }: Runner): Ask {
  return (method, members = {}) => {
    const list = LISTS.get(method);
    if (list !== undefined) {
      const entries = gateway.offer().servers.flatMap((server) => server[list]);
      return Promise.resolve(`{"${list}":[${entries.map(({ raw }) => raw).join(",")}]}`);
    }
    const params = Object.entries(members).map(([key, raw]) => `${JSON.stringify(key)}:${raw}`);
    return new Promise((resolve, reject) => {
      gateway.call({
        id: crypto.randomUUID(),
        method,
        params: `{${params.join(",")}}`,
        deadlineMs: DEADLINE_MS,
        protocolVersion: LATEST_LEGACY_REVISION,
        clientCapabilities: {},
        caller: { client: "cli" },
      }, {
        accepted: () => {},
        note: () => {},
        result: (result, resultType) => {
          if (resultType !== "input_required") return resolve(result);
          const what = "The server asks for input, which only an MCP client can give";
          reject(new GatewayError("server_failed", what));
        },
        error: (error) => {
          const root = scan(error, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
          const message = stringMember(error, root, "message") ?? "The call failed";
          reject(new GatewayError("server_failed", printable(message)));
        },
      });
    });
  };
}

/** Prints the lists that these methods ask for: an entry a line, its key and a first line about it. */
export async function printLists(
  ask: Ask,
  methods: readonly string[],
  { json, terminal }: { readonly json: boolean; readonly terminal: Terminal },
): Promise<void> {
  const raws: string[] = [];
  let shown = 0;
  for (const method of methods) {
    const list = LISTS.get(method);
    if (list === undefined) throw new TypeError(`${method} asks for no list`);
    const result = await ask(method);
    const entries = scan(result, { keep: 3, maxDepth: MAX_SERVER_DEPTH }).members.get(list)?.value;
    raws.push(
      `"${list}":${entries === undefined ? "[]" : result.slice(entries.start, entries.end)}`,
    );
    for (const entry of json ? [] : entries?.elements ?? []) {
      const [summary = ""] = (stringMember(result, entry, "description") ?? "").split("\n");
      const key = stringMember(result, entry, OFFERED_LISTS[list]) ?? "";
      terminal.out(`${printable(key)}  ${printable(summary)}`);
      shown += 1;
    }
  }
  if (json) terminal.out(`{"ok":true,${raws.join(",")}}`);
  else if (shown === 0) {
    terminal.note('None is allowed here: "mcp-runner inspect" says what the servers have');
  }
}

/** Prints the blocks of a result: text as it is, all else as JSON. */
export function printBlocks(
  result: string,
  member: "content" | "contents" | "messages",
  terminal: Terminal,
): void {
  const root = scan(result, { keep: 4, maxDepth: MAX_SERVER_DEPTH });
  for (const block of root.members.get(member)?.value.elements ?? []) {
    const content = member === "messages" ? block.members.get("content")?.value ?? block : block;
    const text = stringMember(result, content, "text");
    const lines = (text ?? result.slice(content.start, content.end)).split("\n");
    for (const line of lines) terminal.out(printable(line));
  }
}
