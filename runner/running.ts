import * as v from "valibot";
import { type RunnerStatus, runnerStatus } from "./inspection.ts";
import { askOwners } from "./local/owner.ts";

const answer = v.pipe(v.string(), v.parseJson(), runnerStatus);

/** The runners of this state directory that serve a config now. */
export async function runningRunners(home: string): Promise<readonly RunnerStatus[]> {
  const texts = await askOwners(home);
  return texts.flatMap((text) => {
    const parsed = v.safeParse(answer, text);
    return parsed.success ? [parsed.output] : [];
  });
}
