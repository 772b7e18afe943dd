/** A server of another program's configuration, as it would stand in ours. */
export interface Imported {
  /** Its name there. */
  readonly from: string;
  /** Name here: 1 to 32 of a to z, 0 to 9 and `-`. */
  readonly name: string;
  /** Its fields, as they are written. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Values that stood in the other file and belong into the store, by their names there. */
  readonly secrets: ReadonlyMap<string, string>;
  /** What a person should know of it, a sentence each. */
  readonly notes: readonly string[];
}

/** A server that cannot be brought along, and why. */
export interface Skipped {
  readonly from: string;
  readonly why: string;
}

/** What a file of another program has. */
export interface ImportFindings {
  readonly imported: readonly Imported[];
  readonly skipped: readonly Skipped[];
}

/** How a program was started: its source and what goes with it. */
export interface ProgramSource {
  readonly source: string;
  readonly args: readonly string[];
  /** Variables with their values, and without where the value is that of the surroundings. */
  readonly env: ReadonlyMap<string, string | undefined>;
  readonly volumes: readonly string[];
  /** Further fields as they are written. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

/** A name of ours for `from`, other than those in `taken`. */
export function nameFor(from: string, taken: ReadonlySet<string>): string {
  const plain = from.toLowerCase().replace(/[^a-z0-9-]+/g, "-").replace(/^-+|-+$/g, "");
  const base = (plain === "" ? "server" : plain).slice(0, 32).replace(/-+$/, "");
  for (let n = 1;; n++) {
    const name = n === 1 ? base : `${base.slice(0, 32 - String(n).length - 1)}-${n}`;
    if (!taken.has(name)) return name;
  }
}
