import { type Listener, Peer } from "../../runner/server/peer.ts";
import { Pipe } from "./pipe.ts";

/** A peer of a server named "probe", with the notifications that it has heard. */
export function openPeer(): {
  readonly peer: Peer;
  readonly pipe: Pipe;
  readonly notified: readonly string[];
} {
  const pipe = new Pipe();
  const notified: string[] = [];
  const peer = new Peer(pipe, {
    server: "probe",
    notified: (method) => void notified.push(method),
  });
  return { peer, pipe, notified };
}

/** A listener that writes down what it hears, one line an event. */
export function heard(): {
  readonly listener: Listener;
  readonly events: readonly string[];
  /** Names of the members of the last result. */
  readonly members: () => readonly string[];
} {
  const events: string[] = [];
  let last: readonly string[] = [];
  return {
    events,
    members: () => last,
    listener: {
      progress: (params) => void events.push(`progress ${params}`),
      result: (result, members) => {
        last = [...members.keys()];
        events.push(`result ${result}`);
      },
      error: (error) => void events.push(`error ${error}`),
      lost: (error) => void events.push(`lost ${error.code} ${error.executed}`),
    },
  };
}
