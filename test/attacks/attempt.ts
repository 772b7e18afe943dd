import * as v from "valibot";

/** One thing that the attacker tried, and how it ended: `done`, or the system's name of the error. */
export interface Attempt {
  readonly what: string;
  readonly got: string;
}

/** What the attacker's tools answer with, as text. It comes from a container, so it is checked. */
export const attempts = v.pipe(
  v.string(),
  v.parseJson(),
  v.array(v.object({ what: v.string(), got: v.string() })),
);
