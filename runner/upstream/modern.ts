/**
 * Streamable HTTP without sessions (MCP 2026-07-28 streamable-http): each request is one POST, whose
 * answer is a JSON object or a stream that ends with it. Closing it is the cancellation.
 *
 * @module
 */
import type { UpstreamContext } from "./context.ts";
import { cancelledId, type OutgoingLine } from "./line.ts";
import { type HeaderFields, standardHeaders } from "./mirror.ts";
import { ParamHeaders } from "./param-headers.ts";
import { carry, isSuccess, POST_HEADERS, tell } from "./post.ts";
import { readRefusal } from "./refusal.ts";
import type { Flight } from "./traffic.ts";

/** The stateless revisions; see the module. */
export class Modern {
  readonly #context: UpstreamContext;
  readonly #params = new ParamHeaders();

  constructor(context: UpstreamContext) {
    this.#context = context;
  }

  /** Sends a message. Throws a `GatewayError` if it cannot. */
  send(line: OutgoingLine): void {
    const headers = { ...POST_HEADERS, ...standardHeaders(line), ...this.#params.of(line) };
    if (line.kind !== "request") {
      void tell(this.#context, line, { headers });
      return;
    }
    const learn = (answer: string): void => this.#params.learn(answer);
    const lists = line.method === "tools/list";
    void this.#request(this.#context.traffic.open(line, lists ? learn : undefined), headers);
  }

  /** Takes back the request that a `notifications/cancelled` names; false if it is none of these. */
  cancel(line: OutgoingLine): boolean {
    const id = cancelledId(line);
    const flight = id === undefined ? undefined : this.#context.traffic.find(id);
    if (flight?.line.version === undefined) return false;
    this.#context.traffic.withdraw(flight);
    return true;
  }

  async #request(flight: Flight, headers: HeaderFields): Promise<void> {
    const { http, traffic } = this.#context;
    const { line: { text: body }, abort: { signal } } = flight;
    try {
      const answer = await http.send({ method: "POST", headers, body, signal });
      if (!isSuccess(answer)) {
        traffic.fail(flight, (await readRefusal(answer, http)).error);
        return;
      }
      const end = await carry(this.#context, flight, answer);
      if (end !== undefined) {
        traffic.fail(flight, http.lost("it ended its answer before the result", end.broken));
      }
    } catch (error) {
      traffic.fail(flight, error);
    }
  }
}
