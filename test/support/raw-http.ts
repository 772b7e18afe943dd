/**
 * HTTP/1.1 over bare sockets: sends any bytes, also those that no HTTP library would send, and reads
 * what comes back as far as it is HTTP.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";

/** A response as it was read off a socket. */
export interface RawAnswer {
  /** 0 when the other end closed without a word. */
  readonly status: number;
  /** By name in lower case; those of the same name are joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A socket to an origin. */
export interface RawSocket extends AsyncDisposable {
  readonly socket: Socket;
  /** Resolves when the socket has closed, whoever closed it. */
  readonly closed: Promise<void>;
  write(bytes: string | Uint8Array): void;
  /**
   * The next whole response; what is left when the socket closes.
   *
   * @param bodiless The response to a HEAD, whose length says nothing of what follows.
   */
  answer(bodiless?: boolean): Promise<RawAnswer>;
}

/** How a socket is opened. */
export interface RawOptions {
  /** The address to come from. */
  readonly localAddress?: string;
  /** Whether it reads on its own; true unless given. A client that does not is a slow one. */
  readonly reads?: boolean;
}

/** Longest wait for an answer or an end, in milliseconds. */
const PATIENCE_MS = 20_000;

/** Opens a socket to `origin`. */
export async function openSocket(
  origin: string,
  { localAddress, reads = true }: RawOptions = {},
): Promise<RawSocket> {
  const { hostname, port } = new URL(origin);
  const socket = connect({
    host: hostname,
    port: Number(port),
    ...(localAddress !== undefined && { localAddress }),
  });
  let received = Buffer.alloc(0);
  let over = false;
  let look = (): void => {};
  const closed = new Promise<void>((resolve) =>
    void socket.once("close", () => {
      over = true;
      look();
      resolve();
    })
  );
  // A reset is one of the ends that are looked for here.
  socket.on("error", () => {});
  await new Promise<void>((resolve) => {
    socket.once("connect", resolve);
    void closed.then(resolve);
  });
  if (reads) {
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      look();
    });
  }

  function answer(bodiless = false): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        look = () => {};
        reject(
          new Error(`No answer within ${PATIENCE_MS} ms, but: ${received.toString("latin1")}`),
        );
      }, PATIENCE_MS);
      look = () => {
        const read = readAnswer(received.toString("latin1"), { bodiless, over });
        if (read === undefined) return;
        clearTimeout(timer);
        look = () => {};
        received = received.subarray(read.length);
        resolve(read.answer);
      };
      look();
    });
  }

  return {
    socket,
    closed,
    answer,
    write: (bytes) => void socket.write(bytes),
    [Symbol.asyncDispose]: () => {
      socket.destroy();
      return closed;
    },
  };
}

/** Sends `bytes` on a socket of their own and reads one response. */
export async function exchange(
  origin: string,
  bytes: string | Uint8Array,
  { bodiless = false }: { readonly bodiless?: boolean } = {},
): Promise<RawAnswer> {
  await using socket = await openSocket(origin);
  socket.write(bytes);
  return await socket.answer(bodiless);
}

/** Headers of a request; one with several values is sent as often, one that is undefined not at all. */
export type RawHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The bytes of a request. Neither Host nor Content-Length are added. */
export function requestBytes(
  line: string,
  headers: RawHeaders,
  body: string | Uint8Array = "",
): Uint8Array {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    (value === undefined ? [] : [value].flat()).map((each) => `${name}: ${each}\r\n`)
  );
  // One byte for each character, so that a header can hold any byte.
  const head = Buffer.from(`${line} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1");
  return Buffer.concat([head, typeof body === "string" ? Buffer.from(body) : body]);
}

/** The first response in `text`, one byte a character, and how long it is; undefined if more is to come. */
function readAnswer(
  text: string,
  { bodiless, over }: { readonly bodiless: boolean; readonly over: boolean },
): { readonly answer: RawAnswer; readonly length: number } | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) {
    return over
      ? { answer: { status: 0, headers: new Map(), body: text }, length: text.length }
      : undefined;
  }
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = "", value = ""] = /^([^:]*):\s*(.*)$/.exec(line) ?? [];
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0);
  const body = readBody(text.slice(end + 4), {
    chunked: /chunked/i.test(headers.get("transfer-encoding") ?? ""),
    length: bodiless || status === 204 ? 0 : headers.get("content-length"),
    over,
  });
  if (body === undefined) return undefined;
  return {
    answer: { status, headers, body: Buffer.from(body.text, "latin1").toString() },
    length: end + 4 + body.length,
  };
}

function readBody(
  rest: string,
  { chunked, length, over }: {
    readonly chunked: boolean;
    readonly length: string | number | undefined;
    readonly over: boolean;
  },
): { readonly text: string; readonly length: number } | undefined {
  if (length !== undefined) {
    const text = rest.slice(0, Number(length));
    return over || text.length === Number(length) ? { text, length: text.length } : undefined;
  }
  if (!chunked) return over ? { text: rest, length: rest.length } : undefined;
  let text = "";
  for (let at = 0;;) {
    const end = rest.indexOf("\r\n", at);
    const size = Number.parseInt(rest.slice(at, end), 16);
    const next = end + 2 + size + 2;
    if (end < 0 || next > rest.length) return over ? { text, length: rest.length } : undefined;
    if (size === 0) return { text, length: next };
    text += rest.slice(end + 2, end + 2 + size);
    at = next;
  }
}
