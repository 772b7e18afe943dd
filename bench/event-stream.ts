const EVENT_END = /\r?\n\r?\n/;

/**
 * The JSON-RPC response in the beginning of an event stream (WHATWG HTML §9.2); undefined as long as it
 * is not there whole. Notifications before it are passed over.
 */
export function answerOf(text: string): string | undefined {
  const events = text.split(EVENT_END);
  // Behind the last empty line stands an event that has not ended.
  events.pop();
  for (const event of events) {
    const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:"))
      .map((line) => line.slice("data:".length).trimStart()).join("\n");
    if (data !== "" && !data.includes('"method":')) return data;
  }
  return undefined;
}
