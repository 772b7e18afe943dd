import { initializeRequest } from "../mcp-client.ts";
import type { ContainerSpec } from "../../runner/docker/container.ts";
import { startContainer } from "../../runner/docker/container.ts";
import type { Engine } from "../../runner/docker/engine.ts";
import { echoAnswer, echoRequest } from "../echo.ts";
import { type Subject, SubjectError } from "./subject.ts";

const NAME = "container attach";

/**
 * (a) The server in the container that it gets from the runner, its lines written and read here: what
 * the server and the engine cost, without gateway, tunnel and worker.
 *
 * @returns When the container runs and its server has answered initialize.
 */
export async function startAttached(
  stack: AsyncDisposableStack,
  engine: Engine,
  spec: ContainerSpec,
): Promise<Subject> {
  const container = await startContainer(engine, spec);
  stack.defer(() => container.stop(1_000));
  const waiting = new Map<number, PromiseWithResolvers<string>>();
  container.onLine((line) => {
    const id = Number(/"id":(\d+)/.exec(line)?.[1]);
    // A line that answers nothing is a notification.
    waiting.get(id)?.resolve(line);
    waiting.delete(id);
  });
  // What is not read would be kept.
  container.onStderr(() => {});
  void container.exited.then(({ reason }) => {
    for (const { reject } of waiting.values()) {
      reject(new SubjectError(NAME, `its container has ended (${reason})`));
    }
  });
  const exchange = (id: number, line: string): Promise<string> => {
    const answer = Promise.withResolvers<string>();
    waiting.set(id, answer);
    container.write(line);
    return answer.promise;
  };
  const answer = await exchange(0, initializeRequest(0));
  if (!answer.includes('"result":')) throw new SubjectError(NAME, `it answered ${answer}`);
  container.write('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  return {
    name: NAME,
    prepare: (echo) => ({
      id: echo.id,
      body: echoRequest(echo, "echo"),
      expected: echoAnswer(echo),
    }),
    send: ({ id, body }) => exchange(id, body),
  };
}
