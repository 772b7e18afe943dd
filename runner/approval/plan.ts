/**
 * What a server is going to be run as, in full and in words: shown to a person before its first start
 * (SEP-1024), and kept, so that any change of it is shown again.
 *
 * @module
 */
import * as v from "valibot";
import { printable } from "../../src/log.ts";

const texts = v.array(v.string());

/** How plans are kept. */
export const launchPlan = v.object({
  /** Its name; of a server of several images, followed by ` (<image>)`: each has an answer of its own. */
  server: v.string(),
  /** Image reference as the config or the lock has it. */
  image: v.string(),
  /** `sha256:…` of the registry's manifest, or else the id of the local image. */
  digest: v.string(),
  /** Entry point and arguments. */
  command: texts,
  /** User of the container, as far as it is known before. */
  user: v.string(),
  /** `<name>=<value>` of the variables that it gets, secrets not included. */
  variables: texts,
  /** `<variable> from <reference>` for each secret, never a value. */
  secrets: texts,
  /** `<host path or volume>:<container path>:<ro|rw>`. */
  mounts: texts,
  /** `<host>:<port>`; empty: no network. */
  network: texts,
  /** Opt-outs of the isolation as the config names them, such as `root` or `caps: CHOWN`. */
  optOuts: texts,
});

/** How a server will run. */
export type LaunchPlan = Readonly<v.InferOutput<typeof launchPlan>>;

/** Name of the server that the plan is of. */
export function serverOf({ server }: LaunchPlan): string {
  const [name = server] = server.split(" ", 1);
  return name;
}

/** Hash of all that the plan says, 64 hex digits. */
export async function planHash(plan: LaunchPlan): Promise<string> {
  const text = JSON.stringify(Object.entries(plan).toSorted(([a], [b]) => a < b ? -1 : 1));
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The plan in lines for a terminal. Those that say something else than `before` begin with `*`: that is
 * what a person has not agreed to yet.
 */
export function planLines(plan: LaunchPlan, before?: LaunchPlan): readonly string[] {
  const known = new Map(before && factsOf(before));
  return factsOf(plan).map(([what, value]) => {
    const changed = before !== undefined && known.get(what) !== value;
    return `${changed ? "*" : " "} ${what.padEnd(10)} ${value}`;
  });
}

function factsOf(plan: LaunchPlan): readonly (readonly [what: string, value: string])[] {
  const { image, digest, command, variables, secrets, mounts, network, optOuts, user } = plan;
  const all = (entries: readonly string[], none: string) =>
    entries.length === 0 ? none : entries.map((entry) => printable(entry)).join(", ");
  const words = (entries: readonly string[], none: string) =>
    entries.length === 0 ? none : entries.map(entryWord).join(", ");
  if (/^https?:/.test(image)) {
    return [["url", printable(image)], ["secrets", all(secrets, "none")]];
  }
  return [
    ["image", printable(`${image} (${digest})`)],
    ["command", command.length === 0 ? "the image's own" : command.map(word).join(" ")],
    ["user", printable(user)],
    ["variables", words(variables, "none")],
    ["secrets", all(secrets, "none")],
    ["files", words(mounts, "none of this machine")],
    ["network", all(network, "none")],
    ["isolation", all(optOuts.map((one) => `without: ${one}`), "full")],
  ];
}

/** An entry of a list, so that a comma in it is not taken for the end of it. */
function entryWord(text: string): string {
  return text.includes(",") ? printable(JSON.stringify(text)) : word(text);
}

/** A word of a command, so that it is seen where it begins and ends. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : printable(JSON.stringify(text));
}
