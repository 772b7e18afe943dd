/**
 * The whole path under the suite, each part as it is shipped:
 *
 *     suite → proxy (adds the token) → dist/worker.js ← dist/runner.js → container → fixture
 *
 * @module
 */
import { eventually } from "../support/eventually.ts";
import { MODERN_META, postModern } from "../support/mcp.ts";
import { connect, createMachine } from "../support/runner.ts";
import { type Runtime, startWorker } from "../support/worker.ts";
import { fixtureConfig, writeFixture } from "./fixture.ts";
import { startProxy } from "./proxy.ts";
import type { Build } from "./sets.ts";

/** The last tool of the fixture's list: where it is, all of them are. */
const LAST_TOOL = "test_tool_with_task";

/** What a client of the suite may declare. Servers may run once for each, and all should be warm. */
const CAPABILITIES: readonly object[] = [
  {},
  { elicitation: {} },
  { sampling: {} },
  { elicitation: {}, sampling: {} },
  { elicitation: {}, sampling: {}, roots: {} },
];

/**
 * Starts everything, with a build of the fixture behind, and makes it warm.
 *
 * @param stack Whose disposal stops and removes everything again.
 * @returns The URL for the suite.
 */
export async function startPath(
  stack: AsyncDisposableStack,
  { build, runtime }: { readonly build: Build; readonly runtime: Runtime },
): Promise<string> {
  /** Leaves what was started to the stack, or ends it when the stack has been disposed of meanwhile. */
  async function keep<T extends AsyncDisposable>(starting: Promise<T>): Promise<T> {
    const started = await starting;
    if (!stack.disposed) return stack.use(started);
    await started[Symbol.asyncDispose]();
    throw new Error("Stopped while it was starting");
  }

  const worker = await keep(startWorker(runtime));
  const machine = await keep(createMachine(await fixtureConfig(build)));
  await writeFixture(machine.folder);
  await connect(machine, worker);
  const endpoint = { origin: worker.origin, token: await machine.createToken("*") };
  const proxy = await keep(startProxy(endpoint));
  await eventually("the fixture's tools are listed", async () => {
    const answer = await postModern(endpoint, "tools/list");
    return (await answer.text()).includes(`"${LAST_TOOL}"`) || undefined;
  });
  for (const capabilities of CAPABILITIES) {
    const _meta = { ...MODERN_META, "io.modelcontextprotocol/clientCapabilities": capabilities };
    const params = { name: "test_streaming_elicitation", arguments: {}, _meta };
    await (await postModern(endpoint, "tools/call", { params })).text();
  }
  return `${proxy.origin}/mcp`;
}
