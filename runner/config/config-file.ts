import { access, chmod, constants, readFile, realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { replaceFile } from "../local/atomic-file.ts";
import { type Config, configMachine, MAX_CONFIG_BYTES, parseConfig } from "./config.ts";
import { addServers, type Entry, NEW_CONFIG, withServers } from "./edit.ts";

/** A config that servers are added to. */
export interface EditableConfig {
  /** What it holds now; no servers if there is no file yet. */
  readonly config: Config;
  /** The fields of this server as they are written; undefined if there is none. */
  written(name: string): Promise<unknown>;
  /** What it would hold with these servers, all of it checked. Nothing is written. */
  with(entries: readonly Entry[]): Promise<Config>;
  /** Writes it with these servers, at the end. */
  add(entries: readonly Entry[]): Promise<void>;
}

/**
 * Opens the config `file`, relative to the working directory. One that is not there is made by `add`.
 *
 * @throws {GatewayError} `config_invalid` when what is there cannot be used.
 */
export async function editConfig(file: string): Promise<EditableConfig> {
  const known = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new GatewayError("config_invalid", `Cannot read ${printable(file)}: ${error.code}`);
  });
  const refused = (why: string, cause?: unknown) =>
    new GatewayError("config_invalid", `Cannot write ${printable(basename(file))}: ${why}`, {
      cause,
    });
  // Somebody may have made the file and no more.
  const text = known === undefined || known.trim() === "" ? NEW_CONFIG : known;
  const parse = (of: string) =>
    parseConfig(of, { file, cwd: process.cwd(), machine: configMachine() });
  return {
    config: await parse(await withServers(text)),
    written: async (name) => {
      const { isMap, parseDocument } = await import("yaml");
      const document = parseDocument(text);
      const server: unknown = document.getIn(["servers", name], true);
      const fields: unknown = isMap(server) ? server.toJS(document) : undefined;
      return fields;
    },
    with: async (entries) => await parse(await addServers(text, entries)),
    add: async (entries) => {
      const added = await addServers(text, entries);
      const bytes = Buffer.byteLength(added);
      if (bytes > MAX_CONFIG_BYTES) {
        throw refused(`it would have ${bytes} bytes, at most ${MAX_CONFIG_BYTES} are allowed`);
      }
      await parse(added);
      // A link stays one: what it leads to is written.
      const path = await realpath(file).catch(() => file);
      if ((await readFile(path, "utf8").catch(() => undefined)) !== known) {
        throw refused("somebody has just changed it, try again");
      }
      const mode = (await stat(path).catch(() => undefined))?.mode;
      try {
        // The file is replaced, which its folder allows: that somebody has made it read-only means no.
        if (mode !== undefined) await access(path, constants.W_OK);
        await replaceFile(path, added);
        await chmod(path, mode === undefined ? 0o644 : mode & 0o777);
      } catch (cause) {
        const { code } = cause as NodeJS.ErrnoException;
        throw refused(
          code === "ENOENT"
            ? "its folder is not there, make that first"
            : code === "ENOSPC" || code === "EDQUOT"
            ? `the disk is full (${code}), make room and try again`
            : `the system answers ${code}, give the permission or name another file`,
          cause,
        );
      }
    },
  };
}
