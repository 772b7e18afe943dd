/**
 * What neither end of a call knows must survive it: random JSON in odd spellings goes from a client
 * through worker, tunnel, runner and container and back, and is compared byte for byte.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { MODERN_META, post } from "../support/mcp.ts";
import { mirrorEntry } from "../support/mirror-server.ts";
import { probeImage } from "../support/probe-image.ts";
import { connect, createMachine } from "../support/runner.ts";
import { startWorker } from "../support/worker.ts";

const RUNS = 40;

/** JSON texts as writers other than ours may spell them; no line breaks, which a line cannot carry. */
const json = fc.letrec<{ value: string; string: string; object: string }>((tie) => ({
  string: fc.oneof(
    fc.string().map((text) => JSON.stringify(text)),
    fc.constantFrom('"\\u0041\\/\\u00e9"', '"\\ud800"', '"é \\u2028 𝄞"', '"\\u0000"'),
  ),
  object: fc.array(fc.tuple(tie("string"), tie("value")), { maxLength: 3 }).map((members) => {
    const seen = new Set<unknown>();
    const kept = members.filter(([key]) => {
      const name: unknown = JSON.parse(key);
      return !seen.has(name) && seen.add(name);
    });
    return `{ ${kept.map(([key, value]) => `${key} :\t${value}`).join(" , ")}}`;
  }),
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.constantFrom("1.0", "-0", "1e400", "1E-7", "12345678901234567890", "true", "null", "[ ]"),
    tie("string"),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join(",\t")}]`),
    tie("object"),
  ),
}));

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());

interface Place {
  readonly origin: string;
  readonly token: string;
}
let place: Place;

before(async () => {
  const worker = stack.use(await startWorker("node"));
  const image = await probeImage();
  const machine = stack.use(
    await createMachine(
      `version: 1\nservers:\n${mirrorEntry(image, "old", "legacy")}${
        mirrorEntry(image, "new", "modern")
      }`,
    ),
  );
  await connect(machine, worker);
  place = { origin: worker.origin, token: await machine.createToken("*") };
});

type Call = (name: string, args: string, more?: string) => Promise<string>;

const clients: Readonly<Record<string, () => Promise<Call>>> = {
  "2026-07-28": () => Promise.resolve(modernCall),
  "2025-11-25": legacyClient,
};

for (const [revision, open] of Object.entries(clients)) {
  for (const server of ["old", "new"]) {
    test(`a client of ${revision} and the ${server} server exchange unknown members byte for byte`, async () => {
      const call = await open();
      const property = fc.asyncProperty(json.object, json.object, async (sent, given) => {
        const result = `{"content":[],"x-given":${given}}`;
        const reply = Buffer.from(result).toString("base64");
        const answer = await call(
          `${server}__mirror`,
          `{"odd":${sent},"reply":"${reply}"}`,
          `"x-unknown":${sent},`,
        );
        assert.ok(answer.includes(`"x-given":${given}}`), answer);
        const line = await lastLine(call, server);
        assert.ok(line.includes(`"arguments":{"odd":${sent},"reply":"${reply}"}`), line);
        assert.ok(line.includes(`"x-unknown":${sent}`), line);
      });
      await fc.assert(property, { numRuns: RUNS });
    });
  }
}

async function lastLine(call: Call, server: string): Promise<string> {
  const answer = await call(`${server}__last`, "{}");
  const text = /"text":"([^"]*)"/.exec(answer)?.[1] ?? "";
  return Buffer.from(text, "base64").toString();
}

async function modernCall(name: string, args: string, more = ""): Promise<string> {
  const params = `{${more}"name":"${name}","_meta":${
    JSON.stringify(MODERN_META)
  },"arguments":${args}}`;
  const response = await post(place, body(params), {
    headers: {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": name,
    },
  });
  return await response.text();
}

async function legacyClient(): Promise<Call> {
  const initialize = await post(
    place,
    '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",' +
      '"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}',
  );
  await initialize.body?.cancel();
  const session = initialize.headers.get("mcp-session-id") ?? "";
  return async (name, args, more = "") => {
    const response = await post(place, body(`{${more}"name":"${name}","arguments":${args}}`), {
      headers: { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" },
    });
    return await response.text();
  };
}

function body(params: string): string {
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
}
