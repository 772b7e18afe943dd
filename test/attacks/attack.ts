import type { Attacker, Scene } from "./scene.ts";
import type { Finding } from "./verdict.ts";

/** Something that a hostile server does. */
export interface Attack {
  /** What it is, for people. */
  readonly name: string;
  /**
   * The servers that it needs, once their tools can be called; the first of them has the name that is given.
   * Unless there are any, it starts its own.
   */
  attackers?(name: string): readonly Attacker[];
  /** Carries it out and judges it. */
  run(scene: Scene, name: string): Promise<Finding>;
  /** Looks, when it is over and nothing is measured any more, whether all is well: what is not. */
  after?(scene: Scene, name: string): Promise<string | undefined>;
}

/** An attack of one server as any other. */
export function alone(
  name: string,
  run: Attack["run"],
  settings: Readonly<Record<string, unknown>> = {},
): Attack {
  return { name, attackers: (server) => [{ name: server, settings }], run };
}

/** For `after`: a server that was ended for its attack is there again for the next call. */
export async function startsAgain(scene: Scene, name: string): Promise<string | undefined> {
  const { error } = await scene.call(name, "echo");
  return error === undefined ? undefined : `it did not start again: ${error.message}`;
}
