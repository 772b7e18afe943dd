import {
  createTokenResponse,
  type ListedToken,
  listTokensResponse,
  revokeTokenResponse,
} from "../../src/access-api.ts";
import { printable } from "../../src/log.ts";
import { askWorker } from "../client/worker-api.ts";
import { loadCredentials } from "../local/credentials.ts";
import { openHome } from "../local/home.ts";
import { JSON_OPTION, readArguments, usageError } from "./arguments.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";
import { chooseWorker } from "./worker-url.ts";

const OPTIONS = {
  ...JSON_OPTION,
  worker: { type: "string" },
  name: { type: "string" },
  tools: { type: "string", multiple: true },
  days: { type: "string" },
} as const;

const DAY_MS = 24 * 3_600_000;

/** `token create | ls | revoke`: the tokens of a worker that this machine has joined. */
export async function token(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["token"] ?? { usage: "" };
  const { values, positionals: [action, id, ...rest] } = readArguments(args, OPTIONS, usage);
  if (rest.length > 0 || (id !== undefined && action !== "revoke")) {
    throw usageError(`token takes no "${rest[0] ?? id}" here`, usage);
  }
  const credentials = await loadCredentials(await openHome());
  const origin = chooseWorker(values.worker, credentials);
  const bearer = credentials.workers[origin]?.tunnelToken;
  if (bearer === undefined) {
    throw usageError(
      `This machine has not joined ${origin}: run "mcp-runner connect" first`,
      usage,
    );
  }
  const worker = { origin, token: bearer };
  const show = (value: object, text: readonly string[]): void => {
    if (values.json) terminal.out(JSON.stringify({ ok: true, ...value }));
    else for (const line of text) terminal.out(line);
  };
  switch (action) {
    case "create": {
      const days = values.days === undefined ? undefined : readDays(values.days, usage);
      const { token: made, listed } = await askWorker({
        ...worker,
        method: "POST",
        path: "/api/tokens",
        answer: createTokenResponse,
        body: {
          name: values.name ?? "client",
          tools: values.tools ?? ["*"],
          ...(days !== undefined && { expiresAt: Date.now() + days * DAY_MS }),
        },
      });
      show({ token: made, listed }, [made]);
      if (!values.json) {
        terminal.note("Shown this once. It calls: " + (listed.tools ?? []).join(" "));
      }
      return;
    }
    case "ls": {
      const answer = { ...worker, method: "GET", path: "/api/tokens" } as const;
      const { tokens } = await askWorker({ ...answer, answer: listTokensResponse });
      show({ tokens }, tokens.map(describe));
      return;
    }
    case "revoke": {
      if (id === undefined) throw usageError("token revoke needs an id", usage);
      const path = `/api/tokens/${encodeURIComponent(id)}`;
      const { revoked } = await askWorker({
        ...worker,
        method: "DELETE",
        path,
        answer: revokeTokenResponse,
      });
      show({ revoked }, [`Revoked ${revoked.id} (${printable(revoked.name)})`]);
      return;
    }
    default:
      throw usageError("token needs create, ls or revoke", usage);
  }
}

function readDays(text: string, usage: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 3_650) return days;
  throw usageError(`--days is "${text}", it must be 1 to 3650`, usage);
}

function describe({ id, kind, name, tools, expiresAt, revokedAt }: ListedToken): string {
  const who = kind === "client" ? "client" : "runner";
  const what = tools === undefined ? "" : `  ${tools.map(printable).join(" ")}`;
  const state = revokedAt !== undefined
    ? "  revoked"
    : expiresAt === undefined
    ? ""
    : `  expires ${new Date(expiresAt).toISOString().slice(0, 10)}`;
  return `${id}  ${who}  ${printable(name)}${what}${state}`;
}
