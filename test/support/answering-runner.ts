/**
 * A runner without servers: it joins a real worker, offers the tools of `probe`, and answers every call
 * by itself. It keeps what reached it, which tells a refused call from one that was made.
 *
 * Tools: `echo` answers with the params that came; `flood` sends FLOOD_NOTES large notifications first;
 * `wait` never answers; `secret` is there to be denied.
 *
 * @module
 */
import { once } from "node:events";
import { type RawData, WebSocket } from "ws";
import { encodeOffer, unlistedServer } from "../../src/mcp/offer.ts";
import { decodeFrame, encodeFrame, type Frame, type HeaderOf } from "../../src/tunnel/frame.ts";
import { HEARTBEAT_MS, PING } from "../../src/tunnel/heartbeat.ts";
import { helloOf } from "./home.ts";
import type { Worker } from "./worker.ts";

/** Notifications that come before the answer of `flood`, and the length of each. */
export const FLOOD_NOTES = 800;
export const FLOOD_NOTE_LENGTH = 256 * 1024;

/** What the last message of `flood` says. */
export const FLOOD_END = "the flood is over";

/** A call as it came through the tunnel. */
export interface ReceivedCall {
  readonly header: HeaderOf<"call">;
  readonly params: string;
}

/** A runner that has joined. */
export interface AnsweringRunner extends AsyncDisposable {
  /** Every call so far. */
  readonly calls: readonly ReceivedCall[];
  /** Makes a client token of its tunnel. */
  createToken(...tools: readonly string[]): Promise<string>;
}

/** Joins `worker` with the code that it has printed; resolves when the offer is sent. */
export async function joinAnsweringRunner(worker: Worker): Promise<AnsweringRunner> {
  const { token } = await postJson(`${worker.origin}/join`, {
    code: worker.joinCode,
    machine: "probe",
  });
  const socket = new WebSocket(`${worker.origin.replace(/^http/, "ws")}/tunnel`, "mcpr.v1", {
    headers: { authorization: `Bearer ${token}` },
  });
  const calls: ReceivedCall[] = [];
  const welcomed = Promise.withResolvers<void>();
  socket.on("message", (data: RawData) => {
    const text = (data as Buffer).toString();
    const frame = text.startsWith("{") ? decodeFrame(text) : undefined;
    if (frame?.header.type === "welcome") welcomed.resolve();
    if (frame?.header.type === "call") calls.push(answerCall(socket, frame.header, frame));
  });
  await once(socket, "open");
  const beat = setInterval(() => socket.send(PING), HEARTBEAT_MS);
  socket.on("close", () => clearInterval(beat));
  socket.send(encodeFrame(helloOf()));
  await welcomed.promise;
  socket.send(encodeFrame({ type: "offer", revision: 1 }, offer()));
  return {
    calls,
    createToken: async (...tools) => {
      const made = await postJson(`${worker.origin}/api/tokens`, { name: "t", tools }, token);
      return made.token;
    },
    [Symbol.asyncDispose]: async () => {
      socket.terminate();
      if (socket.readyState !== WebSocket.CLOSED) await once(socket, "close");
    },
  };
}

function answerCall(socket: WebSocket, header: HeaderOf<"call">, frame: Frame): ReceivedCall {
  const { id } = header;
  const { name } = JSON.parse(frame.payload) as { readonly name?: string };
  const flood = name?.endsWith("flood") === true;
  const text = flood ? FLOOD_END : frame.payload;
  const result = JSON.stringify({ resultType: "complete", content: [{ type: "text", text }] });
  socket.send(encodeFrame({ type: "accepted", id }));
  if (name?.endsWith("wait") === true) return { header, params: frame.payload };
  if (flood) {
    const params = { progressToken: 1, progress: 1, message: "x".repeat(FLOOD_NOTE_LENGTH) };
    const note = JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params });
    for (let n = 0; n < FLOOD_NOTES; n++) socket.send(encodeFrame({ type: "note", id }, note));
  }
  socket.send(encodeFrame({ type: "result", id }, result));
  return { header, params: frame.payload };
}

function offer(): string {
  const tools = ["echo", "flood", "wait", "secret"].map((own) => {
    const key = `probe__${own}`;
    return { key, raw: JSON.stringify({ name: key, inputSchema: { type: "object" } }) };
  });
  return encodeOffer({ servers: [{ ...unlistedServer("probe", "probe__"), listed: true, tools }] });
}

async function postJson(
  url: string,
  body: object,
  token?: string,
): Promise<{ readonly token: string }> {
  const headers = {
    "content-type": "application/json",
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return await response.json() as { readonly token: string };
}
