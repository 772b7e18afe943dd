/**
 * Requests to the Docker API that dockerode's own methods make badly: its `inspect` of images has no
 * deadline, and its `createContainer` puts the body, with the environment of the server, into the URL.
 *
 * @module
 */
import type Docker from "dockerode";

/** One request whose answer is JSON. */
export interface Request {
  readonly method: "GET" | "POST";
  /** Path of the Docker API, without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly abortSignal: AbortSignal;
}

/** Sends a request and resolves with the engine's answer, which the caller checks. */
export function dial(docker: Docker, request: Request): Promise<unknown> {
  const { method, path, query = {}, body = {}, abortSignal } = request;
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `${path}?`,
        method,
        options: { _query: query, _body: body },
        abortSignal,
        statusCodes: { 200: true, 201: true },
      },
      (error, answer) => error ? reject(error) : resolve(answer),
    );
  });
}
