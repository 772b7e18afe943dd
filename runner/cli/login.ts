/**
 * `login` and `logout`: the user's agreement that mcp-runner may use a server at a URL in their name.
 *
 * @module
 */
import { dirname } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { openCatalogs } from "../catalog/catalogs.ts";
import { expandServer } from "../catalog/expand.ts";
import { configMachine, loadConfig, type ServerConfig } from "../config/config.ts";
import { openHome } from "../local/home.ts";
import { openSecrets } from "../secrets/open.ts";
import { openDialer } from "../upstream/dial.ts";
import { reachOf } from "../upstream/guard.ts";
import { resolveHeaders } from "../upstream/header-secrets.ts";
import { checkHeaders, checkUrl } from "../upstream/launch.ts";
import { openBrowser } from "../upstream/oauth/browser.ts";
import { clientDocument } from "../upstream/oauth/client.ts";
import { logIn, type LoginOptions } from "../upstream/oauth/login.ts";
import { logOut } from "../upstream/oauth/logout.ts";
import { checkLogin } from "../upstream/oauth/probe.ts";
import { openLogins } from "../upstream/oauth/open-logins.ts";
import {
  CONFIG_OPTION,
  DEFAULT_CONFIG,
  JSON_OPTION,
  readArguments,
  usageError,
} from "./arguments.ts";
import { commands } from "./commands.ts";
import { humanLog, type Terminal } from "./terminal.ts";

const PASTE = "If the browser runs elsewhere and ends at a page that it cannot show, paste the " +
  "address of that page here: ";

const LOGIN_OPTIONS = {
  ...CONFIG_OPTION,
  ...JSON_OPTION,
  "no-browser": { type: "boolean" },
  port: { type: "string" },
  "client-metadata": { type: "boolean" },
} as const;

const LOGOUT_OPTIONS = { ...CONFIG_OPTION, ...JSON_OPTION } as const;

/** `login <server>`: the user agrees in a browser, and the tokens that come of it are kept. */
export async function login(args: readonly string[], terminal: Terminal): Promise<void> {
  const usage = commands["login"]?.usage ?? "";
  const { values, positionals } = readArguments(args, LOGIN_OPTIONS, usage);
  const port = readPort(values.port, usage);
  const config = await readServer(values.config, positionals, { usage, terminal });
  if (values["client-metadata"]) return printDocument(config, port, terminal);
  await withLogin(config, terminal, async (options) => {
    const { server } = options;
    const { issuer, scopes, renews } = await logIn(options, {
      port,
      stopped: terminal.stopped,
      show: async (url) => {
        const opened = values["no-browser"] !== true && await openBrowser(url);
        terminal.note(
          opened
            ? `A browser opens. If it does not, open this page yourself:`
            : `Open this page in a browser:`,
        );
        terminal.note(`  ${printable(url.href)}`);
      },
      paste: terminal.interactive ? (signal) => terminal.ask(PASTE, signal) : undefined,
    });
    await checkLogin(options);
    if (values.json) terminal.out(JSON.stringify({ ok: true, server, issuer, scopes, renews }));
    else {
      terminal.out(`Logged in to server "${server}" at ${printable(issuer)}`);
      if (!renews) {
        terminal.note("warning: This login does not renew itself: it ends with its token");
      }
    }
  });
}

/** `logout <server>`: ends a login at the authorization server and forgets it here. */
export async function logout(args: readonly string[], terminal: Terminal): Promise<void> {
  const usage = commands["logout"]?.usage ?? "";
  const { values, positionals } = readArguments(args, LOGOUT_OPTIONS, usage);
  const config = await readServer(values.config, positionals, { usage, terminal });
  await withLogin(config, terminal, async (options) => {
    const { server } = options;
    const done = await logOut(options);
    if (values.json) {
      terminal.out(JSON.stringify({ ok: true, server, revoked: done === "revoked" }));
    } else {
      terminal.out(
        done === "none"
          ? `There is no login to server "${server}"`
          : `Forgot the login to "${server}"`,
      );
    }
    if (done === "forgotten") {
      terminal.note(
        "warning: Its tokens could not be revoked: end the access at the server itself",
      );
    }
  });
}

/** The document about this program for `oauth.clientId` to name. */
function printDocument({ name, oauth }: ServerConfig, port: number, terminal: Terminal): void {
  const id = oauth?.clientId;
  if (id?.startsWith("https://") !== true) {
    throw new GatewayError(
      "usage",
      `Server "${name}" names no document: write the https URL at which you will put it as ` +
        "oauth: { clientId: … }",
    );
  }
  const uris = [
    "http://127.0.0.1/callback",
    ...port === 0 ? [] : [`http://127.0.0.1:${port}/callback`],
  ];
  terminal.out(JSON.stringify(clientDocument(id, uris), undefined, 2));
}

/** The server that is named, as its catalog describes it if it is of one. */
async function readServer(
  file: string | undefined,
  positionals: readonly string[],
  { usage, terminal }: { readonly usage: string; readonly terminal: Terminal },
): Promise<ServerConfig> {
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw usageError("Name one server", usage);
  const { path, servers, catalogs: places } = await loadConfig(file ?? DEFAULT_CONFIG);
  const config = servers.find((server) => server.name === name);
  if (config === undefined) {
    throw new GatewayError("usage", `There is no server "${printable(name)}" in the config`);
  }
  const note = (line: string): void => terminal.note(printable(line));
  const volumes = { ...configMachine(), directory: dirname(path) };
  const catalogs = openCatalogs({ home: await openHome(), places, note });
  return await expandServer(config, catalogs, { file: path, volumes, note });
}

async function withLogin(
  config: ServerConfig,
  terminal: Terminal,
  work: (options: LoginOptions) => Promise<void>,
): Promise<void> {
  const { name: server, source, oauth } = config;
  if (source.kind !== "http") {
    throw new GatewayError("usage", `Server "${server}" is not at a URL: it needs no login`);
  }
  if (Object.keys(config.headers).some((header) => header.toLowerCase() === "authorization")) {
    throw new GatewayError(
      "usage",
      `Server "${server}" gets the Authorization header of the config: take it out to log in`,
    );
  }
  const place = { home: await openHome(), env: terminal.env, log: humanLog(terminal) };
  const secrets = openSecrets(place);
  const url = checkUrl(source.url);
  const secret = oauth?.clientSecret;
  const dialer = await openDialer({ reach: reachOf(url, config.allowPrivate), env: terminal.env });
  try {
    await work({
      server,
      url,
      headers: checkHeaders(await resolveHeaders(config, secrets)),
      oauth,
      clientSecret: secret && (() => secrets.resolve(secret, server)),
      store: openLogins(place),
      dialer,
      clock: systemClock,
    });
  } finally {
    await dialer.close();
  }
}

function readPort(text: string | undefined, usage: string): number {
  if (text === undefined) return 0;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port;
  throw usageError("--port is a number from 1 to 65535", usage);
}
