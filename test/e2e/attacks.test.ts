/**
 * The harness of the attacks finds what is to be found: attacks are blocked by default, and each is called
 * FAILED as soon as a server is let off what held it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ESCAPES } from "../attacks/escapes.ts";
import { runAttacks } from "../attacks/run.ts";
import { type Scene, startScene } from "../attacks/scene.ts";

const skip = process.platform === "linux" ? false : "the image of the attacks is made on Linux";
if (skip !== false) console.error(`The harness of the attacks is not tested: ${skip}`);

describe("the harness of the attacks", { skip }, () => {
  const stack = new AsyncDisposableStack();
  let scene: Scene;
  let turn = 0;

  before(async () => {
    scene = await startScene(stack);
  });
  after(() => stack.disposeAsync());

  /** What the attack of this name comes to, against a server that is let off this much. */
  async function outcomeOf(name: string, letOff: Readonly<Record<string, unknown>> = {}) {
    const attacks = ESCAPES.filter((attack) => attack.name.startsWith(name));
    assert.equal(attacks.length, 1);
    const mark = `test-${++turn}`;
    const signal = new AbortController().signal;
    const [report] = await runAttacks(scene, attacks, { mark, signal, letOff, say: () => {} });
    return { outcome: report?.outcome, evidence: report?.evidence ?? "" };
  }

  const asRoot = { root: true, user: "0" };
  const cases = [
    ["writes to its root", { ...asRoot, writable: true }, /write to \/etc\/: done/],
    ["programs that it drops", { execTmp: true }, /execute a file in \/tmp: done/],
    ["another user", asRoot, /start as root: done/],
    ["another user", { ...asRoot, caps: ["SETUID"] }, /have capabilities: done/],
  ] as const;
  for (const [name, letOff, evidence] of cases) {
    const off = Object.keys(letOff).join(", ");
    test(`"${name} …" is blocked, and called FAILED with ${off}`, async () => {
      assert.equal((await outcomeOf(name)).outcome, "blocked");
      const found = await outcomeOf(name, letOff);
      assert.equal(found.outcome, "FAILED");
      assert.match(found.evidence, evidence);
    });
  }
});
