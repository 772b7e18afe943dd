/**
 * The built runner, joined to a worker, with real containers.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { built, NODE, type Program, startProgram } from "./program.ts";
import type { Worker } from "./worker.ts";

/** server-everything as the tests use it: everything but one tool is allowed. */
export const EVERYTHING = `version: 1
servers:
  everything:
    source: npm:@modelcontextprotocol/server-everything@2026.8.31
    args: [stdio]
    tools: { allow: ["*"], deny: [get-env] }
`;

/** Commands that start servers. */
const STARTING = new Set(["up", "connect", "inspect", "tools", "prompts", "resources"]);

/** A machine of a user: a folder with a config and the state of mcp-runner. */
export interface Machine extends AsyncDisposable {
  readonly folder: string;
  readonly home: string;
  /** Runs `mcp-runner <args>` to its end. */
  run(...args: string[]): Promise<{ code: number | string; stdout: string; output: string }>;
  /** Starts `mcp-runner <args>`. */
  start(...args: string[]): Program;
  /** Makes a client token of the worker that this machine has joined. */
  createToken(...tools: string[]): Promise<string>;
}

/** Makes a machine with `config` as its mcp-runner.yaml; `env` is added to that of its programs. */
export async function createMachine(
  config: string = EVERYTHING,
  env: Readonly<Record<string, string>> = {},
): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-machine-"));
  const home = join(folder, "home");
  await writeFile(join(folder, "mcp-runner.yaml"), config);
  const programs: Program[] = [];
  const start = (...args: string[]): Program => {
    // Nobody is there to agree to how the servers are run.
    const agreed = STARTING.has(args[0] ?? "") ? ["--yes"] : [];
    const program = startProgram(NODE, [built("runner.js"), ...args, ...agreed], {
      cwd: folder,
      env: { ...env, MCP_RUNNER_HOME: home },
    });
    programs.push(program);
    return program;
  };
  const run: Machine["run"] = async (...args) => {
    const program = start(...args);
    const code = await program.exit;
    return { code, stdout: program.stdout(), output: program.output() };
  };
  return {
    folder,
    home,
    start,
    run,
    createToken: async (...tools) => {
      const patterns = tools.flatMap((pattern) => ["--tools", pattern]);
      const { code, stdout, output } = await run("token", "create", "--json", ...patterns);
      assert.equal(code, 0, output);
      return (JSON.parse(stdout) as { token: string }).token;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(programs.map((program) => program.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Joins `machine` to `worker` and resolves when its servers are ready. */
export async function connect(machine: Machine, worker: Worker): Promise<Program> {
  const program = machine.start("connect", worker.origin, "--code", worker.joinCode);
  await program.printed(/^Ready/m, 120_000);
  return program;
}
