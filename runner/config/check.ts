import * as v from "valibot";
import type { Issue } from "./field.ts";
import { MAX_PROBLEMS } from "./problem.ts";
import { type CheckedConfig, configSchema } from "./schema.ts";
import type { VolumePlace } from "./volume.ts";

/** One thing that is wrong in data, with the keys that lead to it. */
interface Finding {
  readonly path: readonly unknown[];
  /** The last key itself is what is wrong, not its value. */
  readonly atKey: boolean;
  readonly message: string;
}

/** The configuration in `data`, or everything that is wrong with it. Takes `data` apart on the way. */
export function checkData(
  data: unknown,
  place: VolumePlace,
): { readonly config: CheckedConfig } | { readonly findings: readonly Finding[] } {
  const schema = configSchema(place);
  const unknownKeys: Issue[] = [];
  for (;;) {
    const result = v.safeParse(schema, data);
    if (result.success && unknownKeys.length === 0) return { config: result.output };
    const issues = result.issues ?? [];
    // A map reports one unknown key each time: take it out and look again.
    const found = issues.filter(isUnknownKey);
    unknownKeys.push(...found);
    found.forEach(removeKey);
    if (found.length === 0 || unknownKeys.length > MAX_PROBLEMS) {
      const others = issues.filter((issue) => !isUnknownKey(issue));
      return { findings: [...unknownKeys, ...others].map(toFinding) };
    }
  }
}

function isUnknownKey(issue: Issue): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

function removeKey({ path }: Issue): void {
  const last = path?.at(-1);
  if (typeof last?.input === "object" && last.input !== null) {
    Reflect.deleteProperty(last.input, String(last.key));
  }
}

function toFinding({ path, message }: Issue): Finding {
  return {
    path: path?.map(({ key }) => key) ?? [],
    atKey: path?.at(-1)?.origin === "key",
    message,
  };
}
