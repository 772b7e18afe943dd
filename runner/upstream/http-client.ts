import type { Dispatcher } from "undici";
import { type Executed, GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import type { AccessTokens } from "./access-tokens.ts";
import type { Dialer } from "./dial.ts";
import type { HeaderFields } from "./mirror.ts";
import { bearerChallenge } from "./oauth/challenge.ts";

/** Redirects that are followed in a row. */
const MAX_REDIRECTS = 5;

/** Most bytes of headers in a request: what servers take as a rule, and not more. */
const MAX_REQUEST_HEADER_BYTES = 16 * 1024;

/** Bytes of a body nobody wants that are read so that its connection can be used again. */
const MAX_UNWANTED_BYTES = 64 * 1024;

/** Characters of a part of a header's value below which it is no secret, but a word such as `true`. */
const MIN_SECRET_LENGTH = 8;

/** A request to an upstream. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Where to; the URL of the config unless given. Always of the same origin. */
  readonly url?: URL;
  readonly headers: HeaderFields;
  readonly body?: string;
  /** Aborts it, and the reading of its answer: the connection is closed. */
  readonly signal: AbortSignal;
}

/** What came back; its body must be read, dropped, or aborted. */
export interface HttpAnswer {
  readonly status: number;
  /** Where it came from, after redirects. */
  readonly url: URL;
  /** The header `name`, in lower case; the first if there are several. */
  header(name: string): string | undefined;
  /** Media type of the body, in lower case and without parameters. */
  readonly mediaType: string;
  readonly body: AsyncIterable<Uint8Array>;
  /** Reads the body to its end if that is near, so that the connection can be used again. */
  drop(): Promise<void>;
  /** Closes the connection unless the body was read to its end. */
  close(): void;
}

/** What requests to one upstream are made with. */
export interface HttpClientOptions {
  readonly url: URL;
  /** Sent with every request to the URL's origin, and nowhere else. */
  readonly headers: HeaderFields;
  readonly dialer: Dialer;
  /** Tokens for it, sent like `headers`; undefined when these are all that it gets. */
  readonly tokens?: AccessTokens | undefined;
}

/** Requests to one upstream, with the headers of its config and the token of its login. */
export class HttpClient {
  readonly url: URL;
  readonly #dialer: Dialer;
  readonly #headers: HeaderFields;
  readonly #tokens: AccessTokens | undefined;

  constructor({ url, headers, dialer, tokens }: HttpClientOptions) {
    this.url = url;
    this.#headers = headers;
    this.#dialer = dialer;
    this.#tokens = tokens;
  }

  /** Whether this JSON text repeats a credential of the config, as it is or behind escapes. */
  leaks(json: string): boolean {
    const plain = JSON.stringify(JSON.parse(json));
    const values = [
      ...Object.values(this.#headers),
      ...this.url.searchParams.values(),
      ...this.#tokens?.sent ?? [],
    ];
    return values.flatMap((value) => value.split(/[\s;]+/)).some((secret) =>
      secret.length >= MIN_SECRET_LENGTH && (json.includes(secret) || plain.includes(secret))
    );
  }

  /**
   * Sends a request and follows redirects within the origin. When the upstream does not take the
   * token, it is renewed and the request sent once more.
   *
   * @returns The answer as soon as its headers are there, whatever its status.
   * @throws {GatewayError} `server_failed`; its `executed` says whether the upstream may have got it.
   * `address_refused`; `login_required` when only the user can get a token.
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const tokens = this.#tokens;
    if (tokens === undefined) return await this.#sendWith(request, {});
    let token = await tokens.current();
    for (let renewed = false;; renewed = true) {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const answer = await this.#sendWith(request, authorization);
      const challenge = challengeOf(answer);
      if (challenge === undefined) return answer;
      // Not drained: whoever refuses may take its time to say why.
      answer.close();
      if (challenge.scopes !== undefined) throw await tokens.insufficient(challenge.scopes);
      if (renewed || token === undefined) token = undefined;
      else token = await tokens.renew(token);
      if (token === undefined) throw tokens.missing();
    }
  }

  async #sendWith(request: HttpRequest, authorization: HeaderFields): Promise<HttpAnswer> {
    const headers = {
      "accept-encoding": "identity",
      ...this.#headers,
      ...authorization,
      ...request.headers,
    };
    this.#checkLength(headers);
    let url = request.url ?? this.url;
    for (let redirects = 0;; redirects++) {
      const answer = await this.#sendOnce(url, request, headers);
      const location = redirectOf(answer, request.method);
      if (location === undefined) return answer;
      await answer.drop();
      url = this.#follow(location, url, redirects);
    }
  }

  /** @throws {GatewayError} `server_failed` naming the host and what to check. */
  probe(): Promise<void> {
    return this.#dialer.probe(this.url);
  }

  /** Closes all connections. */
  close(): Promise<void> {
    return this.#dialer.close();
  }

  /**
   * That the upstream cannot be used: `what`, and `brief` for strangers. It has done nothing unless
   * `executed` says otherwise.
   */
  failure(what: string, executed: Executed = "no", brief = what): GatewayError {
    return new GatewayError("server_failed", `Cannot use upstream ${this.url.host}: ${what}`, {
      executed,
      brief: `Cannot use the upstream of the server: ${brief}`,
    });
  }

  /** That a request was lost on the way, perhaps after it was carried out. */
  lost(what: string, cause?: unknown): GatewayError {
    const message = `Upstream ${this.url.host} has lost the request: ${what}`;
    const brief = `The upstream of the server has lost the request: ${what}`;
    return new GatewayError("server_crashed", message, { cause, brief });
  }

  async #sendOnce(url: URL, request: HttpRequest, headers: HeaderFields): Promise<HttpAnswer> {
    const { method, body, signal } = request;
    let data: Dispatcher.ResponseData;
    try {
      data = await this.#dialer.request(url, { method, headers, body, signal });
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      throw this.lost("the connection broke before there was an answer", error);
    }
    const answer = toAnswer(url, data);
    if (/^(?:identity)?$/.test(answer.header("content-encoding") ?? "")) return answer;
    await answer.drop();
    throw this.failure("its answer is compressed, which was not asked for", "unknown");
  }

  #follow(location: string, from: URL, redirects: number): URL {
    if (!URL.canParse(location, from.href)) {
      throw this.failure("it redirects to something that is no URL");
    }
    const to = new URL(location, from);
    // The headers of the config are meant for this origin and no other.
    if (to.origin !== this.url.origin) {
      const where = printable(to.origin).slice(0, 200);
      const what = `it redirects to ${where}, which is not followed: check the URL`;
      throw this.failure(what, "no", "it redirects to another place");
    }
    if (redirects >= MAX_REDIRECTS) throw this.failure("it redirects without end: check the URL");
    return to;
  }

  #checkLength(headers: HeaderFields): void {
    let length = 0;
    for (const [name, value] of Object.entries(headers)) length += name.length + value.length + 4;
    if (length <= MAX_REQUEST_HEADER_BYTES) return;
    throw new GatewayError(
      "too_large",
      `Cannot send the request to ${this.url.host}: what it repeats in headers is longer than ` +
        `${MAX_REQUEST_HEADER_BYTES} bytes`,
      { brief: "Cannot send the request: what it repeats in headers is too long" },
    );
  }
}

function toAnswer(url: URL, { statusCode, headers, body }: Dispatcher.ResponseData): HttpAnswer {
  // Whoever reads the body gets the error; nobody need read it.
  body.on("error", () => {});
  const header = (name: string): string | undefined => {
    const value = headers[name];
    if (typeof value === "string") return value;
    // Each may offer another way to log in.
    return name === "www-authenticate" ? value?.join(", ") : value?.[0];
  };
  return {
    status: statusCode,
    url,
    header,
    mediaType: header("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "",
    body,
    drop: async () => {
      try {
        await body.dump({ limit: MAX_UNWANTED_BYTES });
      } catch {
        // It was aborted or has broken off: it is gone either way.
      }
    },
    close: () => void body.destroy(),
  };
}

/** Where an answer sends us; undefined for every status that would change a POST into a GET. */
function redirectOf(answer: HttpAnswer, method: HttpRequest["method"]): string | undefined {
  const kept = [307, 308].includes(answer.status);
  const changed = [301, 302, 303].includes(answer.status) && method === "GET";
  return kept || changed ? answer.header("location") : undefined;
}

/** Why a token was not taken: it is none or not valid, or it has not the scopes that are named. */
function challengeOf(answer: HttpAnswer): { readonly scopes?: readonly string[] } | undefined {
  if (answer.status === 401) return {};
  if (answer.status !== 403) return undefined;
  const { error, scopes } = bearerChallenge(answer.header("www-authenticate")) ?? {};
  return error === "insufficient_scope" ? { scopes: scopes ?? [] } : undefined;
}
