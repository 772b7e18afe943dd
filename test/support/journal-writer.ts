/**
 * A process that writes the call log of the state directory in its first argument until it is killed, and
 * says how far everything is in its file.
 *
 * @module
 */
import { systemClock } from "../../src/clock.ts";
import { openJournal } from "../../runner/journal/journal-file.ts";
import { callEvent } from "./journal.ts";

const [, , home = "", owner = ""] = process.argv;
const journal = await openJournal({ home, owner, clock: systemClock, log: () => {} });
for (let call = 1;; call++) {
  journal.write(callEvent(String(call), { message: "x".repeat(call % 2_000) }));
  if (call % 50 === 0 && await journal.flush()) process.stdout.write(`${call}\n`);
}
