/**
 * The login of a registry as `docker login` has kept it. Called by registry-client.ts.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import * as v from "valibot";
import { userHome } from "../local/user-home.ts";

/** A user of a registry. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const configFile = v.object({
  auths: v.optional(v.record(v.string(), v.object({ auth: v.optional(v.string(), "") })), {}),
  credsStore: v.optional(v.string(), ""),
  credHelpers: v.optional(v.record(v.string(), v.string()), {}),
});

const helperAnswer = v.object({ Username: v.string(), Secret: v.string() });

/** Longest wait for a helper, in milliseconds: it may ask the user to unlock a key ring. */
const HELPER_MS = 20_000;

/** The login for a host, or `undefined` if docker has none. */
export async function findCredentials(host: string): Promise<Credentials | undefined> {
  const folder = process.env["DOCKER_CONFIG"] || join(userHome(), ".docker");
  const content = await readFile(join(folder, "config.json"), "utf8").catch(() => "");
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), configFile), content);
  if (!parsed.success) return undefined;
  const { auths, credsStore, credHelpers } = parsed.output;
  const names = host === "docker.io"
    ? ["https://index.docker.io/v1/", "docker.io"]
    : [host, `https://${host}`];
  for (const name of names) {
    const decoded = Buffer.from(auths[name]?.auth ?? "", "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    if (colon > 0) {
      return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
    }
    const helper = credHelpers[name] ?? credsStore;
    const found = /^[\w.-]+$/.test(helper) ? await askHelper(helper, name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The protocol of docker-credential-helpers: the host goes in, JSON comes out. */
async function askHelper(helper: string, host: string): Promise<Credentials | undefined> {
  const child = spawn(`docker-credential-${helper}`, ["get"], {
    stdio: ["pipe", "pipe", "ignore"],
    timeout: HELPER_MS,
  });
  const ended = new Promise<boolean>((resolve) => {
    child.on("error", () => resolve(false));
    child.on("close", (code) => resolve(code === 0));
  });
  // It may have ended without reading.
  child.stdin.on("error", () => {});
  child.stdin.end(`${host}\n`);
  const [answer, isFine] = await Promise.all([text(child.stdout).catch(() => ""), ended]);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), helperAnswer), answer);
  // With this name the secret is an identity token, which is for another way to log in.
  if (!isFine || !parsed.success || parsed.output.Username === "<token>") return undefined;
  return { username: parsed.output.Username, password: parsed.output.Secret };
}
