import { realpath } from "node:fs/promises";
import { isAbsolute, relative } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import type { ServerConfig } from "./config.ts";

/**
 * Refuses a server that could write to what decides about it: a folder that it may write to must hold
 * neither the config, nor its lock, nor a catalog. Links are followed.
 *
 * @param files Absolute paths; need not exist.
 * @throws {GatewayError} `config_invalid` naming the volume and what to do.
 */
export async function refuseOwnFiles(
  { name, volumes }: Pick<ServerConfig, "name" | "volumes">,
  files: readonly string[],
): Promise<void> {
  const guarded = await Promise.all(files.map(real));
  for (const { hostPath, readOnly } of volumes) {
    if (readOnly) continue;
    const folder = await real(hostPath);
    const held = guarded.find((file) => isWithin(file, folder) || isWithin(folder, file));
    if (held === undefined) continue;
    throw new GatewayError(
      "config_invalid",
      `Cannot use server "${name}": it could write to ${
        printable(held)
      }, which decides what it may do, ` +
        `mount a folder inside "${printable(hostPath)}" or with :ro`,
    );
  }
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (!isAbsolute(way) && way !== ".." && !/^\.\.[\\/]/.test(way));
}

async function real(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}
