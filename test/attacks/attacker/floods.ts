/**
 * What an attacker sends to its runner: too much, in every form.
 *
 * @module
 */
import { once } from "node:events";
import process from "node:process";
import type { Writable } from "node:stream";

const MIB = 1024 ** 2;

/** Writes `text` again and again, `mib` in all, as fast as it is taken. */
export async function flood(output: Writable, text: string, mib: number): Promise<void> {
  const block = Buffer.from(text.repeat(Math.ceil(64 * 1024 / text.length)));
  for (let written = 0; written < mib * MIB; written += block.length) {
    if (!output.write(block)) await once(output, "drain");
  }
}

/** Lines that say nothing, to stderr. */
export function floodStderr(mib: number): Promise<void> {
  return flood(process.stderr, `${"noise ".repeat(16)}\n`, mib);
}

/** Lines of two bytes that are no messages, to stdout. */
export function floodStdout(mib: number): Promise<void> {
  return flood(process.stdout, "x\n", mib);
}

/** One line, to stdout. */
export async function longLine(mib: number): Promise<void> {
  await flood(process.stdout, "x", mib);
  process.stdout.write("\n");
}

/** Everything that is not meant to leave, in every form, to stderr; torn apart, too. */
export async function leak(): Promise<readonly string[]> {
  const secret = process.env["TOKEN"] ?? "";
  const forms = [
    secret,
    JSON.stringify({ secret }),
    Buffer.from(secret).toString("base64"),
    Buffer.from(`user:${secret}`).toString("base64"),
    encodeURIComponent(secret),
    Buffer.from(secret).toString("hex"),
  ];
  for (const form of forms) process.stderr.write(`${form}\n`);
  process.stderr.write(secret.slice(0, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.stderr.write(`${secret.slice(5)}\n`);
  return forms;
}
