import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import type { Imported, ImportFindings } from "./imported.ts";

/** Fields that people fill in after an import. */
const FILLED_IN: ReadonlySet<string> = new Set(["tools", "network"]);

const fieldsOfServer = v.record(v.string(), v.unknown());

/**
 * Those that an earlier import has brought along, whatever tools and network they were given since.
 *
 * @param written The fields of our server of this name as they are written; undefined if there is none.
 */
export async function alreadyThere(
  { imported }: ImportFindings,
  written: (name: string) => Promise<unknown>,
): Promise<readonly Imported[]> {
  const there: Imported[] = [];
  for (const one of imported) {
    const ours = await written(one.name);
    const fields = Object.entries(one.fields).filter(([field]) => !FILLED_IN.has(field));
    const isThere = v.is(fieldsOfServer, ours) &&
      fields.every(([field, value]) => isDeepStrictEqual(ours[field], value));
    if (isThere) there.push(one);
  }
  return there;
}

/** What was found but those `there`, which are left out. */
export function without(
  there: readonly Imported[],
  { imported, skipped }: ImportFindings,
): ImportFindings {
  const names = new Set(there.map(({ from }) => from));
  return {
    imported: imported.filter(({ from }) => !names.has(from)),
    skipped: [...skipped, ...[...names].map((from) => ({ from, why: THERE }))],
  };
}

const THERE = "it is in the config already";
