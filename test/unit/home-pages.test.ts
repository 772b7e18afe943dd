import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Client,
  inSession,
  messageOf,
  modern,
  offerOfRawTools,
  openSession,
  type ServerFacts,
  startWorkerInMemory,
} from "../support/home.ts";

const SMALL = { entries: 3, length: 1_000 };
const LETTERS = [..."abcdefgh"];

/** A server with eight entries in each list. */
const EIGHT: ServerFacts = {
  name: "n",
  tools: LETTERS.map((letter) => `n__${letter}`),
  prompts: LETTERS.map((letter) => `n__p-${letter}`),
  resources: LETTERS.map((letter) => `n://${letter}`),
  templates: LETTERS.map((letter) => `n://${letter}/{x}`),
};

const LISTS = [
  ["tools/list", "tools", "name", EIGHT.tools],
  ["prompts/list", "prompts", "name", EIGHT.prompts],
  ["resources/list", "resources", "uri", EIGHT.resources],
  ["resources/templates/list", "resourceTemplates", "uriTemplate", EIGHT.templates],
] as const;

interface Page {
  readonly keys: readonly string[];
  readonly next: string | undefined;
}

/** One page of a list, as a modern client asks for it. */
async function page(
  client: Client,
  cursor?: unknown,
  [method, member, key]: (typeof LISTS)[number] = LISTS[0],
): Promise<Page> {
  const params = cursor === undefined ? {} : { cursor };
  const { result = {}, error } = await messageOf(await modern(client, method, params));
  assert.equal(error, undefined);
  const entries = result[member] as ReadonlyArray<Record<string, string>>;
  return {
    keys: entries.map((entry) => entry[key] ?? ""),
    next: result["nextCursor"] as string | undefined,
  };
}

for (const list of LISTS) {
  test(`${list[0]} gives pages that together are the list, in its order`, async () => {
    const worker = startWorkerInMemory({ pageLimits: SMALL });
    await worker.runner({ servers: [EIGHT] });
    const client = await worker.client();
    const first = await page(client, undefined, list);
    const second = await page(client, first.next, list);
    const third = await page(client, second.next, list);
    assert.deepEqual([first, second, third].map(({ keys }) => keys.length), [3, 3, 2]);
    assert.deepEqual([first, second, third].flatMap(({ keys }) => keys), list[3]);
    assert.equal(third.next, undefined);
  });
}

test("the pages of a session have the cursors of everybody, and nothing else beside the list", async () => {
  const worker = startWorkerInMemory({ pageLimits: SMALL });
  await worker.runner({ servers: [EIGHT] });
  const client = await worker.client();
  const session = await openSession(client);
  const { result = {} } = await messageOf(await inSession(session, "prompts/list"));
  assert.deepEqual(Object.keys(result), ["prompts", "nextCursor"]);
  assert.equal(result["nextCursor"], (await page(client, undefined, LISTS[1])).next);
});

test("every page of 2026-07-28 is private, timed, and names the server", async () => {
  const worker = startWorkerInMemory({ pageLimits: SMALL });
  await worker.runner({ servers: [EIGHT] });
  const client = await worker.client();
  const { next } = await page(client);
  for (const cursor of ["", next]) {
    const { result = {} } = await messageOf(await modern(client, "tools/list", { cursor }));
    assert.deepEqual([result["resultType"], result["cacheScope"]], ["complete", "private"]);
    assert.ok(Number(result["ttlMs"]) >= 0);
    assert.ok("io.modelcontextprotocol/serverInfo" in (result["_meta"] as object));
  }
});

test("the empty cursor is that of the first page", async () => {
  const worker = startWorkerInMemory({ pageLimits: SMALL });
  await worker.runner({ servers: [EIGHT] });
  const client = await worker.client();
  assert.deepEqual(await page(client, ""), await page(client));
});

test("a page goes on behind the last entry also if the list has changed before it", async () => {
  const worker = startWorkerInMemory({ pageLimits: SMALL });
  const runner = await worker.runner({ servers: [EIGHT] });
  const client = await worker.client();
  const { next } = await page(client);
  const changed: ReadonlyArray<readonly [now: string, rest: readonly string[]]> = [
    ["xyabcdefgh", ["n__d", "n__e", "n__f"]],
    ["cdefgh", ["n__d", "n__e", "n__f"]],
    ["abcxdefgh", ["n__x", "n__d", "n__e"]],
    ["abc", []],
    // The last one is gone: its place is.
    ["abdefgh", ["n__d", "n__e", "n__f"]],
    ["", []],
  ];
  for (const [now, rest] of changed) {
    runner.offerServers({ name: "n", tools: [...now].map((letter) => `n__${letter}`) });
    assert.deepEqual((await page(client, next)).keys, rest, now);
  }
});

test("a page of a cursor holds what that client's own token grants", async () => {
  const worker = startWorkerInMemory({ pageLimits: SMALL });
  await worker.runner({ servers: [EIGHT] });
  const { next } = await page(await worker.client());
  const client = await worker.client("n__c", "n__e", "n__g", "n__h");
  assert.deepEqual((await page(client, next)).keys, ["n__e", "n__g", "n__h"]);
});

test("a cursor that this list did not give out is refused in both eras", async () => {
  const worker = startWorkerInMemory({ pageLimits: SMALL });
  await worker.runner({ servers: [EIGHT] });
  const client = await worker.client();
  const session = await openSession(client);
  const { next = "" } = await page(client);
  const { next: other } = await page(client, undefined, LISTS[1]);
  const made = (value: unknown): string => btoa(JSON.stringify(value)).replaceAll("=", "");
  const cursors: readonly unknown[] = [
    "1",
    "x",
    ` ${next}`,
    `${next}=`,
    next.slice(0, -2),
    `${next}AAAA`,
    other,
    7,
    null,
    {},
    [next],
    made(null),
    made([]),
    made(["tools", "n__c", 0]),
    made(["tools", "n__c", -1]),
    made(["tools", "n__c", 1.5]),
    made(["tools", 7, 3]),
    made(["tools", "n__c", 3, 4]),
    made(["tools", "n__c", "3"]),
    "\u0000",
    "ü",
    "x".repeat(100_000),
  ];
  for (const cursor of cursors) {
    for (
      const answer of [
        modern(client, "tools/list", { cursor }),
        inSession(session, "tools/list", { cursor }),
      ]
    ) {
      const response = await answer;
      assert.equal(response.status, 200);
      const { error } = await messageOf(response);
      assert.deepEqual([error?.code, error?.message], [-32602, "Invalid cursor"], String(cursor));
    }
  }
});

test("a list of 1,000 entries is one page, and of 1,001 two", async () => {
  const worker = startWorkerInMemory();
  const names = Array.from({ length: 1_001 }, (_, n) => `n__${n}`);
  const runner = await worker.runner({ tools: names.slice(0, 1_000) });
  const client = await worker.client();
  const whole = await page(client);
  assert.deepEqual([whole.keys.length, whole.next], [1_000, undefined]);
  runner.offer(...names);
  const first = await page(client);
  assert.equal(first.keys.length, 1_000);
  assert.deepEqual((await page(client, first.next)).keys, ["n__1000"]);
});

test("a page holds 2 MiB of text, and one entry however long it is", async () => {
  const worker = startWorkerInMemory();
  const runner = await worker.runner();
  const tools = [1_500_000, 600_000, 3_000_000, 10].map((length, n) => ({
    name: `n__${n}`,
    description: "x".repeat(length),
  }));
  runner.say({ type: "offer", revision: 1 }, offerOfRawTools("n", JSON.stringify(tools)));
  const client = await worker.client();
  const seen: string[] = [];
  for (let next: string | undefined = ""; next !== undefined;) {
    const { keys, next: following } = await page(client, next);
    seen.push(keys.join("+"));
    next = following;
  }
  assert.deepEqual(seen, ["n__0", "n__1", "n__2", "n__3"]);
});
