/**
 * The kinds of field that catalogs have, as valibot schemas over text (runner/config/document.ts), and a
 * way to find fields that nobody knows.
 *
 * @module
 */
import * as v from "valibot";

/** Text; a scalar of any type is. */
export const text = v.string();

/** Text that is only shown: what is no text is nothing. */
export const shown = v.fallback(v.optional(text), undefined);

/** True or false. */
export const flag = v.pipe(
  v.picklist(["true", "false"], "is neither true nor false"),
  v.transform((it) => it === "true"),
);

/** A field of a map that may be absent or empty. */
export const maybe = <const T extends v.GenericSchema>(schema: T) => v.nullish(schema);

/** A list that may be absent or empty. */
export const listOf = <const T extends v.GenericSchema>(item: T) => v.nullish(v.array(item), []);

/** Lists that are only shown. */
export const shownList = v.fallback(v.nullish(v.array(text), []), []);

/** A map of texts. */
export const texts = v.nullish(v.record(text, text), {});

/** A map with known fields. Others are let through; `unknownFields` finds them. */
export const fields = <const T extends v.ObjectEntries>(entries: T) => v.looseObject(entries);

/**
 * Paths of the fields of `data` that `schema` does not know. Looks into maps, lists and records, as far
 * as the schema describes them.
 */
export function unknownFields(
  schema: v.GenericSchema,
  data: unknown,
  path: readonly (string | number)[] = [],
): readonly (readonly (string | number)[])[] {
  if (typeof data !== "object" || data === null) return [];
  const known = schema as Shape;
  if (known.getter !== undefined) return unknownFields(known.getter(data), data, path);
  if (known.wrapped !== undefined) return unknownFields(known.wrapped, data, path);
  if (Array.isArray(data)) {
    const { item } = known;
    if (item === undefined) return [];
    return data.flatMap((one, index) => unknownFields(item, one, [...path, index]));
  }
  return Object.entries(data).flatMap(([key, value]) => {
    const at = [...path, key];
    if (known.entries !== undefined) {
      const field = Object.hasOwn(known.entries, key) ? known.entries[key] : undefined;
      return field === undefined ? [at] : unknownFields(field, value, at);
    }
    return known.type === "record" && known.value !== undefined
      ? unknownFields(known.value, value, at)
      : [];
  });
}

/** What schemas of valibot may consist of. */
interface Shape {
  readonly type: string;
  readonly entries?: Readonly<Record<string, v.GenericSchema>>;
  readonly item?: v.GenericSchema;
  readonly value?: v.GenericSchema;
  readonly wrapped?: v.GenericSchema;
  readonly getter?: (input: unknown) => v.GenericSchema;
}
