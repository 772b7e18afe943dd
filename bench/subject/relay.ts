import { fileURLToPath } from "node:url";
import { type Echo, echoRequest } from "../echo.ts";
import { HttpClient } from "../http-client.ts";
import { Program } from "../program.ts";
import { type Subject, SubjectError } from "./subject.ts";

const NAME = "bare relay";
const HEADERS = { "content-type": "application/json" };

/**
 * (b) HTTP → WebSocket → HTTP and nothing else: what the way itself costs. Two processes, as worker and
 * runner are; the one at the end sends back what it gets.
 */
export async function startRelay(
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Subject> {
  const start = (file: URL, ...args: readonly string[]): Program =>
    stack.use(new Program({ name: NAME, args: [fileURLToPath(file), ...args], signal }));
  const server = start(new URL("../relay/server.ts", import.meta.url));
  const url = await server.printed(/http:\S+/);
  const responder = new URL("../relay/responder.ts", import.meta.url);
  await start(responder, url.replace("http:", "ws:")).printed(/connected/);
  const http = stack.use(new HttpClient(url));
  return {
    name: NAME,
    prepare: (echo: Echo) => ({
      id: echo.id,
      body: echoRequest(echo, "echo"),
      expected: echo.message,
    }),
    send: async ({ body }) => {
      const { status, text } = await http.send("POST", HEADERS, body);
      if (status !== 200) throw new SubjectError(NAME, `it answered with HTTP ${status}`);
      return text;
    },
  };
}
