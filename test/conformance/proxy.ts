/**
 * A client's token, put in front of a worker: the suite cannot send one. Everything else passes as it is,
 * `Host` and `Origin` above all, which scenarios forge to see whether the worker refuses them.
 *
 * @module
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A proxy that listens on loopback. */
export interface Proxy extends AsyncDisposable {
  readonly origin: string;
}

/** Starts a proxy that adds `token` to each request and sends it to the worker at `origin`. */
export async function startProxy(
  { origin, token }: { readonly origin: string; readonly token: string },
): Promise<Proxy> {
  const { hostname, port } = new URL(origin);
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method, url: path, rawHeaders } = incoming;
    // As a list, so that nothing is merged or added, not even a Host.
    const headers = [...rawHeaders, "Authorization", `Bearer ${token}`];
    const sent = request({ hostname, port, agent, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      // The head of an event stream is news in itself.
      outgoing.flushHeaders();
      answer.on("error", () => outgoing.destroy()).pipe(outgoing);
    });
    sent.on("error", () => {
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(502).end();
    });
    // Whoever closes a stream means it: that is how a call is cancelled.
    outgoing.on("close", () => sent.destroy());
    incoming.pipe(sent);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
}
