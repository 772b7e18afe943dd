/** Characters of the message that is echoed. */
export const MESSAGE_LENGTH = 1_024;

const FILLER = "The quick brown fox jumps over the lazy dog 0123456789 ".repeat(20);

/** One call to make: its JSON-RPC id and the message that has to come back. */
export interface Echo {
  readonly id: number;
  /** 1 KB of ASCII without anything that JSON escapes; no two calls have the same. */
  readonly message: string;
}

/** Gives out echoes whose ids go up and never come twice, as MCP asks of the requests of a session. */
export function echoSource(): () => Echo {
  let id = 0;
  return () => {
    id++;
    return { id, message: `${id} ${FILLER}`.slice(0, MESSAGE_LENGTH) };
  };
}

/**
 * A tools/call of the tool `echo` as JSON text.
 *
 * @param tool Name under which the subject offers it.
 * @param meta JSON text of `params._meta`, for revisions that want it.
 */
export function echoRequest({ id, message }: Echo, tool: string, meta?: string): string {
  const envelope = meta === undefined ? "" : `"_meta":${meta},`;
  return `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{${envelope}` +
    `"name":"${tool}","arguments":{"message":"${message}"}}}`;
}

/** What server-everything's `echo` puts into its result. */
export function echoAnswer({ message }: Echo): string {
  return `"Echo: ${message}"`;
}
