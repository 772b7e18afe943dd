/**
 * What a tunnel needs of a WebSocket. Each runtime of the worker and the runner make one from theirs;
 * home and tunnel use nothing else.
 *
 * @module
 */
/** One end of an open WebSocket, as every runtime can give it. */
export interface Wire {
  /** Queues one text message. Does nothing once the socket is closing. */
  send(text: string): void;
  /**
   * When the peer was last heard of by the platform alone, in ms since the epoch; undefined where
   * every message of the peer reaches the owner of the wire.
   */
  readonly heardAt?: () => number | undefined;
  /** Starts the closing handshake; `reason` is at most 123 bytes (RFC 6455 §5.5). */
  close(code: number, reason: string): void;
}

/** What the owner of a wire is told. */
export interface WireEvents {
  readonly message: (text: string) => void;
  /** Called once, whoever closed; 1006 when the connection broke. */
  readonly closed: (code: number, reason: string) => void;
}
