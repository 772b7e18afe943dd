import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";

/** A text of a catalog. */
export interface CatalogText {
  readonly text: string;
  /** Its file or URL, for messages. */
  readonly name: string;
}

/** Largest accepted file, in bytes. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** Most files of a folder; docker/mcp-registry has some 330. */
const MAX_FILES = 5_000;

/**
 * The catalogs at a path: a file, or those of a folder. Of a folder that is laid out as docker/mcp-registry
 * each `<name>/server.yaml` is read, below `servers` if there is such a folder; of any other its files
 * `*.yaml`, `*.yml` and `*.json`.
 *
 * @param path Absolute.
 * @throws {GatewayError} `config_invalid`.
 */
export async function readPlace(path: string): Promise<readonly CatalogText[]> {
  try {
    const facts = await stat(path);
    if (!facts.isDirectory()) return [await readText(path)];
    const servers = join(path, "servers");
    const folder = await isFolder(servers) ? servers : path;
    const files = await filesOf(folder);
    if (files.length === 0) throw refused(path, "it holds no catalog");
    if (files.length > MAX_FILES) throw refused(path, `it holds more than ${MAX_FILES} files`);
    const texts: CatalogText[] = [];
    for (const file of files) texts.push(await readText(file));
    return texts;
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw refused(path, code === "ENOENT" ? "there is no such file or folder" : code, error);
  }
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .toSorted((a, b) => a.name < b.name ? -1 : 1);
  const nested = names.filter((it) => it.isDirectory())
    .map(({ name }) => join(folder, name, "server.yaml"));
  const flat = names.filter((it) => it.isFile() && /\.(?:ya?ml|json)$/.test(it.name))
    .map(({ name }) => join(folder, name));
  const found = await Promise.all(nested.map(async (path) => await isFile(path) ? [path] : []));
  return [...found.flat(), ...flat];
}

async function readText(path: string): Promise<CatalogText> {
  const facts = await stat(path);
  if (!facts.isFile()) throw refused(path, "it is not a regular file");
  if (facts.size > MAX_FILE_BYTES) {
    throw refused(path, `it has ${facts.size} bytes, at most ${MAX_FILE_BYTES} are allowed`);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
    return { text, name: path };
  } catch (error) {
    if (error instanceof TypeError) throw refused(path, "it is not UTF-8", error);
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then((it) => it.isDirectory(), () => false);
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then((it) => it.isFile(), () => false);
}

function refused(path: string, why: string | undefined, cause?: unknown): GatewayError {
  const message = `Cannot read the catalog ${
    printable(path)
  }: ${why}, correct catalogs in the config`;
  return new GatewayError("config_invalid", message, { cause });
}
