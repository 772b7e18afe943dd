import { homedir } from "node:os";

/** The home of users that have none, by custom of systems. */
const NO_HOME = "/nonexistent";

/** Home folder of the user; a place that is not there for one who has none, as programs in containers may. */
export function userHome(): string {
  try {
    return homedir() || NO_HOME;
  } catch {
    // No HOME and no entry in the list of users.
    return NO_HOME;
  }
}
