/**
 * `tools.json` of the state directory: what tools and prompts were when they were first seen, or when
 * somebody last agreed to them, by config file and server.
 *
 * @module
 */
import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { replaceFile } from "../local/atomic-file.ts";
import { withLock } from "../local/lock.ts";
import { readPrivateFile } from "../local/private-file.ts";

/** Name of the file in the state directory. */
export const PINS_FILE = "tools.json";

/**
 * Longest file that we write, in UTF-16 code units; then the texts of the server with most of them go
 * first, and servers of long ago next.
 */
const MAX_LENGTH = 32 * 1024 * 1024;

/** Most servers of which pins are kept. */
const MAX_SERVERS = 1_000;

// Names are values here, never members: a tool may be called "__proto__".
const pin = v.object({ name: v.string(), hash: v.string(), text: v.optional(v.string()) });

const serverPins = v.object({
  config: v.string(),
  server: v.string(),
  /** When they were last written, milliseconds since the epoch. */
  at: v.number(),
  tools: v.array(pin),
  prompts: v.array(pin),
});

const pinFile = v.object({ version: v.literal(1), servers: v.array(serverPins) });

/** A tool or prompt as it was agreed to. */
export type Pin = Readonly<v.InferOutput<typeof pin>>;

/** The pin without its text. */
export function withoutText({ name, hash }: Pin): Pin {
  return { name, hash };
}

/** The pins of one server. */
export type KeptPins = Readonly<v.InferOutput<typeof serverPins>>;

/**
 * Reads all pins; none where there is no file.
 *
 * @throws {GatewayError} `store_unavailable` for a file that cannot be read: what it pinned would be
 * trusted anew; `credentials_unsafe` for one that others can open.
 */
export async function readPins(home: string): Promise<readonly KeptPins[]> {
  const path = join(home, PINS_FILE);
  const text = await readPrivateFile(path, 4 * MAX_LENGTH);
  if (text === undefined) return [];
  try {
    return v.parse(pinFile, JSON.parse(text)).servers;
  } catch (cause) {
    throw new GatewayError(
      "store_unavailable",
      `Cannot read ${printable(path)}: it is damaged, delete it to trust what servers list now`,
      { cause },
    );
  }
}

/**
 * Changes the pins, while no other process does.
 *
 * @param change Gets what is there now, and gives what is to be there.
 * @returns What is there then: texts and servers for which there is no room are not.
 * @throws {GatewayError} as `readPins`.
 */
export async function changePins(
  home: string,
  change: (all: readonly KeptPins[]) => readonly KeptPins[],
): Promise<readonly KeptPins[]> {
  const path = join(home, PINS_FILE);
  return await withLock(`${path}.lock`, async () => {
    const { servers, text } = encode(
      change(await readPins(home)).toSorted((a, b) => b.at - a.at).slice(0, MAX_SERVERS),
    );
    await replaceFile(path, text);
    return servers;
  });
}

/** The file, in at most `MAX_LENGTH` characters, and what is in it. */
function encode(all: readonly KeptPins[]): {
  readonly servers: readonly KeptPins[];
  readonly text: string;
} {
  const textOf = (servers: readonly KeptPins[]) => JSON.stringify({ version: 1, servers });
  const text = textOf(all);
  if (text.length <= MAX_LENGTH) return { servers: all, text };
  const sized = all.map((one) => ({
    one,
    length: JSON.stringify(one).length,
    texts: textsOf(one),
  }));
  let over = text.length - MAX_LENGTH;
  for (const each of sized.toSorted((a, b) => b.texts - a.texts)) {
    if (over <= 0) break;
    const { tools, prompts } = each.one;
    const bare = { tools: tools.map(withoutText), prompts: prompts.map(withoutText) };
    each.one = { ...each.one, ...bare };
    const length = JSON.stringify(each.one).length;
    over -= each.length - length;
    each.length = length;
  }
  while (over > 0 && sized.length > 1) over -= (sized.pop()?.length ?? 0) + 1;
  const servers = sized.map(({ one }) => one);
  return { servers, text: textOf(servers) };
}

/** Length of all texts together. */
function textsOf({ tools, prompts }: KeptPins): number {
  return [...tools, ...prompts].reduce((sum, { text = "" }) => sum + text.length, 0);
}
