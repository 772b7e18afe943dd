import { formsOf, MIN_LENGTH } from "./forms.ts";
import { PatternSet } from "./pattern-set.ts";
import type { Redactor } from "./redactor.ts";

/** Values of one name that are known at the same time: those of earlier starts may still turn up in logs. */
const MAX_VALUES = 100;

/** A redactor that can follow text which comes in parts. */
export interface StreamRedactor extends Redactor {
  /** A stream of its own; what is added later is taken out of it from then on. */
  stream(): RedactingStream;
}

/** What a redactor does with values that are too short to be taken out. */
export interface RedactorOptions {
  /** Told once for each name; the value is let through. */
  readonly onShort?: (name: string) => void;
}

/** Where the text before left off. */
interface Begun {
  /** Characters at the begin of the text in whose place something stands already. */
  readonly covered: number;
  /** The name that stands there, if nothing else came after it. */
  readonly last: string | undefined;
}

const NOTHING: Begun = { covered: 0, last: undefined };

/**
 * Makes a redactor that knows nothing yet. In place of a value, or of any form of it that forms.ts
 * knows, stands `[secret <name>]`; of values that overlap, nothing is left.
 */
export function createRedactor({ onShort }: RedactorOptions = {}): StreamRedactor {
  const values = new Map<string, readonly string[]>();
  const short = new Set<string>();
  const box = { patterns: new PatternSet() };

  function learn(name: string, value: string): void {
    for (const form of formsOf(value)) box.patterns.add(form, name);
  }

  return {
    add: (name, value) => {
      if (value.length < MIN_LENGTH) {
        if (!short.has(name)) onShort?.(name);
        short.add(name);
        return;
      }
      const known = values.get(name) ?? [];
      if (known.includes(value)) return;
      values.set(name, [...known, value].slice(-MAX_VALUES));
      if (known.length < MAX_VALUES) return learn(name, value);
      box.patterns = new PatternSet();
      for (const [each, theirs] of values) for (const one of theirs) learn(each, one);
    },
    get isEmpty() {
      return values.size === 0;
    },
    redact: (text) =>
      values.size === 0 ? text : replace(box.patterns, text, text.length, NOTHING).out,
    stream: () => new RedactingStream(() => box.patterns),
  };
}

/**
 * Takes secrets out of text that comes in parts, wherever it is cut. What might be the begin of a
 * secret, at most 127 characters, comes out with a later part or at the end.
 */
export class RedactingStream {
  readonly #patterns: () => PatternSet;
  #held = "";
  #begun: Begun = NOTHING;

  constructor(patterns: () => PatternSet) {
    this.#patterns = patterns;
  }

  /** The next part of the text, as far as it is known. */
  push(part: string): string {
    const patterns = this.#patterns();
    const text = this.#held + part;
    const limit = patterns.openFrom(text);
    const { out, ...begun } = replace(patterns, text, limit, this.#begun);
    this.#held = text.slice(limit);
    this.#begun = begun;
    return out;
  }

  /** The rest of the text; the stream is then as new. */
  end(): string {
    const { out } = replace(this.#patterns(), this.#held, this.#held.length, this.#begun);
    this.#held = "";
    this.#begun = NOTHING;
    return out;
  }
}

/**
 * The text up to `limit`, with names in place of the secrets that begin there; one that reaches
 * beyond is named whole, and `covered` says how much of the rest it was.
 */
function replace(
  patterns: PatternSet,
  text: string,
  limit: number,
  begun: Begun,
): Begun & { readonly out: string } {
  let { covered: at, last } = begun;
  let out = "";
  patterns.search(text, limit, (start, end, name) => {
    if (end <= at) return;
    if (start > at) {
      out += text.slice(at, start);
      last = undefined;
    }
    // The pieces of one value, and what overlaps it, are one.
    if (name !== last) out += `[secret ${name}]`;
    last = name;
    at = end;
  });
  // Of no text nothing is known: what came before it is still the last.
  if (at === 0 && limit > 0 && limit === text.length) {
    return { out: text, covered: 0, last: undefined };
  }
  if (at < limit) {
    out += text.slice(at, limit);
    at = limit;
    last = undefined;
  }
  return { out, covered: at - limit, last };
}
