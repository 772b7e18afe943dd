/**
 * Where attacks happen: the whole path as it is shipped, with one server that only has to go on, and
 * hostile ones that come and go with the config.
 *
 *     harness → dist/worker.js ← dist/runner.js → containers: control, and those of one attack
 *     harness → engine: what an attack looks like from outside
 *
 * @module
 */
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { connectEngine, type Engine } from "../../runner/docker/engine.ts";
import { OWNER_LABEL, SERVER_LABEL } from "../../runner/docker/label.ts";
import { eventually } from "../support/eventually.ts";
import { type Endpoint, postModern } from "../support/mcp.ts";
import { type Belongings, belongingsOf, ownersOf } from "../support/owner.ts";
import type { Program } from "../support/program.ts";
import { connect, createMachine, type Machine } from "../support/runner.ts";
import { type Answer, callTool, textOf } from "../support/tool-call.ts";
import { startWorker } from "../support/worker.ts";
import { type Attempt, attempts } from "./attempt.ts";
import { CONTROL } from "./control.ts";
import { attackImage, attackProgram, PROGRAM } from "./image.ts";

/** A hostile server. */
export interface Attacker {
  readonly name: string;
  /** How it behaves beside its tools, see attacker/main.ts. */
  readonly mode?: string;
  /** What else its entry in the config says. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** How to call a tool of an attacker. */
export interface Strike {
  readonly args?: Readonly<Record<string, unknown>>;
  /** Longest wait, in milliseconds. */
  readonly ms?: number;
}

/** The whole path, at work. */
export interface Scene {
  readonly engine: Engine;
  readonly endpoint: Endpoint;
  readonly machine: Machine;
  readonly runner: Program;
  /** Owner of all that the runner has in the engine. */
  readonly owner: string;
  /** These are the hostile servers from now on; resolves when the runner knows. */
  use(attackers: readonly Attacker[]): Promise<void>;
  /** Resolves when the tools of a server can be called. */
  listed(server: string): Promise<void>;
  /** Calls a tool and waits for the end of the call, which must be one answer. */
  call(server: string, tool: string, strike?: Strike): Promise<Answer>;
  /** Calls a tool whose answer is what was tried. */
  attempts(server: string, tool: string, strike?: Strike): Promise<readonly Attempt[]>;
  /** Ids of the containers of a server. */
  containers(server: string): Promise<readonly string[]>;
  /** Process ids, on this machine, of the first processes of a server's containers. */
  processes(server: string): Promise<readonly number[]>;
  /** All that belongs to the runner. */
  belongings(): Promise<Belongings>;
}

/** Milliseconds for what takes as long as it takes, before something is wrong. */
const PATIENCE_MS = 60_000;

const running = v.object({ State: v.object({ Pid: v.number() }) });

/**
 * Starts everything.
 *
 * @param stack Whose disposal stops and removes everything again.
 */
export async function startScene(stack: AsyncDisposableStack): Promise<Scene> {
  const engine = await connectEngine();
  const image = await attackImage(engine);
  const worker = stack.use(await startWorker("node"));
  const machine = stack.use(await createMachine(configOf(image, [])));
  await writeFile(join(machine.folder, PROGRAM), await attackProgram(), { mode: 0o644 });
  const runner = await connect(machine, worker);
  const endpoint = { origin: worker.origin, token: await machine.createToken("*") };
  const [owner = ""] = await ownersOf(machine);

  const listed = (server: string): Promise<void> =>
    eventually(`${server} is listed`, async () => {
      const answer = await postModern(endpoint, "tools/list");
      return (await answer.text()).includes(`"${server}__echo"`) || undefined;
    }, PATIENCE_MS).then(() => {});
  const call: Scene["call"] = (server, tool, { args = {}, ms = PATIENCE_MS } = {}) =>
    callTool(endpoint, { name: `${server}__${tool}`, args, signal: AbortSignal.timeout(ms) });
  const containers: Scene["containers"] = async (server) => {
    const filters = { label: [`${OWNER_LABEL}=${owner}`, `${SERVER_LABEL}=${server}`] };
    return (await engine.docker.listContainers({ all: true, filters }))
      .filter(({ Labels }) => Labels["dev.mcp-runner.role"] === undefined)
      .map(({ Id }) => Id);
  };
  await listed(CONTROL);
  return {
    engine,
    endpoint,
    machine,
    runner,
    owner,
    listed,
    call,
    containers,
    use: async (attackers) => {
      const path = join(machine.folder, "mcp-runner.yaml");
      await writeFile(`${path}.new`, configOf(image, attackers));
      await rename(`${path}.new`, path);
      const names = attackers.map(({ name }) => name).join(", ");
      if (names !== "") await runner.printed(new RegExp(`new: ${names}[;)]`), PATIENCE_MS);
    },
    attempts: async (server, tool, strike) => {
      const answer = await call(server, tool, strike);
      if (answer.result === undefined) {
        throw new Error(`${tool} was not answered: ${JSON.stringify(answer.error)}`);
      }
      return v.parse(attempts, textOf(answer));
    },
    processes: async (server) => {
      const all = (await containers(server)).map((id) =>
        engine.docker.getContainer(id).inspect().then((facts) => v.parse(running, facts).State.Pid)
      );
      // One may end while it is asked for.
      const settled = await Promise.allSettled(all);
      return settled.flatMap((it) => it.status === "fulfilled" && it.value > 0 ? [it.value] : []);
    },
    belongings: () => belongingsOf(engine, owner),
  };
}

/** The config with these hostile servers; JSON is YAML. */
function configOf(image: string, attackers: readonly Attacker[]): string {
  const all: readonly Attacker[] = [{ name: CONTROL }, ...attackers];
  const servers = all.map(({ name, mode = "well", settings = {} }): [string, object] => [name, {
    source: `image:${image}`,
    args: [PROGRAM, mode],
    volumes: [`.${PROGRAM}:${PROGRAM}`],
    tools: { allow: ["*"] },
    ...settings,
  }]);
  const config: object = { version: 1, servers: Object.fromEntries(servers) };
  return `${JSON.stringify(config, null, 1)}\n`;
}
