import assert from "node:assert/strict";
import { test } from "node:test";
import type { Confirm } from "../../runner/approval/approvals.ts";
import { agreeToTools } from "../../runner/cli/tool-changes.ts";
import type { Terminal } from "../../runner/cli/terminal.ts";
import type { OwnedServer } from "../../runner/fleet.ts";
import type { ServerLists } from "../../runner/server/listed.ts";
import { ALLOW_ALL, entryOf, openPins, toolsOf } from "../support/pins.ts";

const BEFORE = toolsOf(entryOf("tidy", { description: "Before" }), entryOf("denied"));
const AFTER = toolsOf(entryOf("tidy"), entryOf("denied", { description: "new" }), entryOf("new"));

/** A server that lists `lists` once it has started. */
function owned(lists: ServerLists, given: { readonly pins?: boolean } = {}) {
  const seen = { starts: 0 };
  const server = {
    lists: undefined as ServerLists | undefined,
    start: () => {
      seen.starts++;
      server.lists = lists;
      return Promise.resolve();
    },
  };
  const rules = { ...ALLOW_ALL, tools: { allow: ["*"], deny: ["denied"] } };
  const config = { name: "a", pins: true, ...rules, ...given };
  return { seen, owner: { server, config } as unknown as OwnedServer };
}

/** A person who answers `yes` or no, and what they were shown. */
function person(yes: boolean) {
  const shown: string[] = [];
  const by: Confirm = (lines) => {
    shown.push(...lines);
    return Promise.resolve(yes);
  };
  const terminal = {
    stopped: new AbortController().signal,
    note: (line: string) => void shown.push(line),
  } as unknown as Terminal;
  return { shown, by, terminal };
}

test("a person sees what has changed and is allowed, and a yes pins exactly that", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(BEFORE, ALLOW_ALL);
  const { shown, ...asked } = person(true);
  await agreeToTools({ pins }, owned(AFTER).owner, asked);
  assert.match(shown.join("\n"), /^Tool "tidy" of server "a" has changed:\n/);
  assert.doesNotMatch(shown.join("\n"), /denied|"new"/);
  assert.deepEqual(pins.changes("a", AFTER).map(({ key }) => key), ["denied"]);
});

test("a no changes nothing, and says how to see it again", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(BEFORE, ALLOW_ALL);
  await assert.rejects(agreeToTools({ pins }, owned(AFTER).owner, person(false)), {
    code: "not_approved",
    message:
      'What has changed in server "a" stays hidden, see it again with "mcp-runner approve a"',
  });
  assert.equal(pins.changes("a", AFTER).length, 2);
});

test("--yes shows it all the same", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  pins.of("a").judge(BEFORE, ALLOW_ALL);
  const { shown, terminal } = person(false);
  await agreeToTools({ pins }, owned(AFTER).owner, { by: "yes", terminal });
  assert.match(shown.join("\n"), /^- {3}"description": "Before",$/m);
  assert.deepEqual(pins.changes("a", AFTER).map(({ key }) => key), ["denied"]);
});

test("a server of which nothing is pinned, and one without pins, is not started for this", async () => {
  await using bench = await openPins();
  const pins = await bench.open();
  const fresh = owned(AFTER);
  await agreeToTools({ pins }, fresh.owner, person(true));
  pins.of("a").judge(BEFORE, ALLOW_ALL);
  const free = owned(AFTER, { pins: false });
  await agreeToTools({ pins }, free.owner, person(true));
  assert.deepEqual([fresh.seen.starts, free.seen.starts], [0, 0]);
});
