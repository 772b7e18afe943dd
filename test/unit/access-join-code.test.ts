import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import * as fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import {
  ensureJoinCode,
  JOIN_CODE_LIFE_MS,
  MAX_WRONG_TRIES,
  newJoinCode,
  redeemJoinCode,
} from "../../worker/access/join-code.ts";
import {
  createTunnelToken,
  findToken,
  listTokens,
  revokeToken,
} from "../../worker/access/ledger.ts";
import { type MemoryStore, memoryStore } from "../support/store-memory.ts";

const START = 1_800_000_000_000;
const REFUSED = {
  name: "GatewayError",
  code: "join_code_invalid",
  message:
    "Cannot join with this code: it is wrong, used, older than 10 minutes, or was tried too " +
    "often; make a new one at the worker",
};

let at = START;
const now = () => at;
let store: MemoryStore;

beforeEach(() => {
  at = START;
  store = memoryStore(now);
});

const newCode = () => newJoinCode(store, { tunnel: "default", now });
const redeem = (code: string, machine = "ada-laptop") =>
  redeemJoinCode(store, { code, machine, now });

/** A code that is not `code`, well formed. */
function wrong(code: string): string {
  return (code.startsWith("B") ? "C" : "B") + code.slice(1);
}

async function outcome(attempt: Promise<unknown>): Promise<"joined" | "refused"> {
  try {
    await attempt;
    return "joined";
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    const { name, code, message } = error;
    assert.deepEqual({ name, code, message }, REFUSED);
    return "refused";
  }
}

test("a code gives the machine that types it a tunnel token in its name", async () => {
  const { code, expiresAt } = await newCode();
  assert.match(code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
  assert.equal(expiresAt, START + 600_000);

  const { bearer, token } = await redeem(code, "  Zoë's laptop ");
  assert.match(bearer, /^mcpr_tunnel_[\w-]{43}$/);
  const { id } = token;
  const expected = {
    kind: "tunnel",
    id,
    tunnel: "default",
    name: "Zoë's laptop",
    createdAt: START,
  };
  assert.deepEqual(token, expected);
  assert.deepEqual(await findToken(store, bearer), expected);
});

test("a code is accepted as people type it", async () => {
  for (
    const typed of [
      (code: string) => code.toLowerCase(),
      (code: string) => code.replace("-", ""),
      (code: string) => ` ${code.replace("-", " ")}\n`,
      (code: string) => code.replace("-", "–"),
      (code: string) => code.toLowerCase().split("").join(" "),
    ]
  ) {
    const { code } = await newCode();
    assert.equal(await outcome(redeem(typed(code))), "joined", typed(code));
  }
});

test("a code works once", async () => {
  const { code } = await newCode();
  await redeem(code);
  await assert.rejects(redeem(code), REFUSED);
  assert.equal((await listTokens(store)).length, 1);
});

test("of 50 who come with one code at once, one gets a token", async () => {
  const { code } = await newCode();
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => outcome(redeem(code))));
  assert.equal(outcomes.filter((one) => one === "joined").length, 1);
  assert.equal((await listTokens(store)).length, 1);
});

test("a code lives for ten minutes and not a millisecond longer", async () => {
  const [first, second] = [await newCode(), await newCode()];
  at = START + 1;
  const third = await newCode();

  at = START + JOIN_CODE_LIFE_MS - 1;
  assert.equal(await outcome(redeem(first.code)), "joined");
  at = START + JOIN_CODE_LIFE_MS;
  assert.equal(await outcome(redeem(second.code)), "refused", "a younger code lives on beside it");
  assert.equal(await outcome(redeem(third.code)), "joined");
});

test("a code survives four wrong tries and dies with the fifth", async () => {
  for (const [tries, expected] of [[4, "joined"], [5, "refused"]] as const) {
    const { code } = await newCode();
    for (let n = 0; n < tries; n++) await assert.rejects(redeem(wrong(code)), REFUSED);
    assert.equal(await outcome(redeem(code)), expected, `after ${tries} wrong tries`);
  }
});

test("wrong tries that come at once are all counted", async () => {
  const { code } = await newCode();
  await Promise.all(Array.from({ length: 5 }, () => outcome(redeem(wrong(code)))));
  assert.equal(await outcome(redeem(code)), "refused");
});

test("guesses beside the right code never get it more than one token", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
      async (tries) => {
        store = memoryStore(now);
        const { code } = await newCode();
        const outcomes = await Promise.all(
          tries.map((right) => outcome(redeem(right ? code : wrong(code)))),
        );
        const joined = outcomes.filter((one) => one === "joined").length;
        const wrongTries = tries.filter((right) => !right).length;
        assert.ok(joined <= 1);
        if (tries.includes(true) && wrongTries < MAX_WRONG_TRIES) assert.equal(joined, 1);
        if (!tries.includes(true)) assert.equal(joined, 0);
        assert.equal((await listTokens(store)).length, joined);
      },
    ),
    { numRuns: 50 },
  );
});

test("a flood of guesses writes five times, leaves nothing, and cannot stop the next code", async () => {
  const { code } = await newCode();
  const writesBefore = store.calls.commit;
  for (let n = 0; n < 1000; n++) await assert.rejects(redeem(wrong(code)), REFUSED);
  assert.equal(store.calls.commit - writesBefore, MAX_WRONG_TRIES);
  assert.equal(store.size, 0);

  const next = await newCode();
  assert.equal(await outcome(redeem(next.code)), "joined");
});

test("guesses while no code lives touch nothing", async () => {
  for (let n = 0; n < 20; n++) await assert.rejects(redeem("BBBB-BBBB"), REFUSED);
  assert.equal(store.calls.commit, 0);
});

test("each code has five tries of its own, whatever an older one has left", async () => {
  const older = await newCode();
  for (let n = 0; n < 3; n++) await assert.rejects(redeem(wrong(older.code)), REFUSED);
  const newer = await newCode();
  for (let n = 0; n < 2; n++) await assert.rejects(redeem(wrong(newer.code)), REFUSED);
  await assert.rejects(redeem(older.code), REFUSED);
  assert.equal(await outcome(redeem(newer.code)), "joined");
});

test("what cannot be a code is refused alike and costs no try", async () => {
  const { code } = await newCode();
  const typed = [
    "",
    "-",
    "AEIO-UAEI",
    "BBBB-BBB",
    "BBBB-BBBBB",
    "BBBB-BBB1",
    "B".repeat(10_000),
    "ß",
  ];
  for (const text of typed) await assert.rejects(redeem(text), REFUSED, text.slice(0, 20));
  assert.equal(await outcome(redeem(code)), "joined");
});

test("several codes live side by side, the newest eight", async () => {
  const codes = [];
  for (let n = 0; n < 9; n++) codes.push(await newCode());
  const [oldest, ...newest] = codes;
  for (const { code } of newest) assert.equal(await outcome(redeem(code)), "joined");
  assert.equal(await outcome(redeem(oldest?.code ?? "")), "refused");
});

test("codes made at once all live", async () => {
  const codes = await Promise.all(Array.from({ length: 8 }, newCode));
  for (const { code } of codes) assert.equal(await outcome(redeem(code)), "joined");
});

const badNames: ReadonlyArray<readonly [why: string, machine: string]> = [
  ["empty", ""],
  ["blank", "  \t"],
  ["too long", "x".repeat(65)],
  ["an escape sequence", "\u001b[2Jlaptop"],
  ["two lines", "laptop\nowner: you"],
  ["a bidi override", "laptop\u202egnp"],
  ["a zero-width space", "lap\u200btop"],
  ["a line separator", "laptop\u2028x"],
  ["half a surrogate pair", "laptop\ud800"],
];

for (const [why, machine] of badNames) {
  test(`a machine name that is ${why} is refused before the code is touched`, async () => {
    const { code } = await newCode();
    await assert.rejects(redeem(code, machine), { name: "GatewayError", code: "invalid_request" });
    await assert.rejects(redeem(wrong(code), machine), { code: "invalid_request" });
    assert.equal(await outcome(redeem(code)), "joined");
  });
}

test("ensureJoinCode() makes a code for a worker that nobody can use", async () => {
  const made = await ensureJoinCode(store, { tunnel: "default", now });
  assert.ok(made !== undefined);
  assert.equal(await outcome(redeem(made.code)), "joined");
});

test("ensureJoinCode() makes one code when several instances start at once", async () => {
  const made = await Promise.all(
    Array.from({ length: 10 }, () => ensureJoinCode(store, { tunnel: "default", now })),
  );
  assert.equal(made.filter((one) => one !== undefined).length, 1);
});

test("ensureJoinCode() makes none while a code or a tunnel token lives", async () => {
  const ensure = async () =>
    (await ensureJoinCode(store, { tunnel: "default", now })) !== undefined;
  assert.equal(await ensure(), true);
  assert.equal(await ensure(), false, "a code lives");

  at += JOIN_CODE_LIFE_MS;
  const { token } = await createTunnelToken(store, {
    tunnel: "default",
    name: "a",
    expiresAt: at + 1000,
    now,
  });
  const second = await createTunnelToken(store, { tunnel: "default", name: "b", now });
  await revokeToken(store, second.token.id, now);
  assert.equal(await ensure(), false, "a token lives");

  at = token.expiresAt ?? 0;
  assert.equal(await ensure(), true, "one token is revoked, the other has expired");
});

test("a code for a tunnel that cannot be is refused", async () => {
  for (const tunnel of ["", "Default", "a/b", "x".repeat(33)]) {
    await assert.rejects(newJoinCode(store, { tunnel, now }), { code: "invalid_request" });
  }
});

test("the store holds no code as it is typed", async () => {
  const { code } = await newCode();
  const dump = store.dump().toUpperCase();
  assert.ok(!dump.includes(code));
  assert.ok(!dump.includes(code.replace("-", "")));
});
