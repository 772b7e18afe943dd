import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { askWorker } from "../client/worker-api.ts";
import { forgetWorker, loadCredentials } from "../local/credentials.ts";
import { openHome } from "../local/home.ts";
import { JSON_OPTION, readArguments } from "./arguments.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";
import { chooseWorker } from "./worker-url.ts";

/** `disconnect`: gives the tunnel token back to the worker and forgets it here, whatever it says. */
export async function disconnect(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["disconnect"] ?? { usage: "" };
  const { values, positionals: [url] } = readArguments(args, JSON_OPTION, usage);
  const home = await openHome();
  const credentials = await loadCredentials(home);
  const origin = chooseWorker(url, credentials);
  const token = credentials.workers[origin]?.tunnelToken;
  if (token === undefined) {
    throw new GatewayError("usage", `This machine has not joined ${origin}`);
  }
  const revoked = await giveBack(origin, token, terminal);
  await forgetWorker(home, origin);
  if (values.json) terminal.out(JSON.stringify({ ok: true, worker: origin, revoked }));
  else terminal.out(`Forgot ${origin}`);
}

async function giveBack(origin: string, token: string, terminal: Terminal): Promise<boolean> {
  try {
    await askWorker({ method: "DELETE", origin, path: "/join", token, answer: v.looseObject({}) });
    return true;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    terminal.note(`warning: The worker could not be told (${error.message}): revoke it there`);
    return false;
  }
}
