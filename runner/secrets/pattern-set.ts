import { MAX_PIECE, MIN_LENGTH } from "./forms.ts";

/** Bits of the hash of three neighbouring characters. */
const HASH_BITS = 18;

/** Characters that a block has. */
const BLOCK = 3;

/** A place of the tree of all patterns: the text that leads here from its parent, and what follows. */
interface Node {
  edge: string;
  /** What is shown in place of the pattern that ends here. */
  name: string | undefined;
  /** By the first character of their edges. */
  readonly next: Map<number, Node>;
}

/** How far a text follows the patterns from one place on. */
interface Walk {
  /** End of the longest pattern that begins there; -1 if none does. */
  readonly end: number;
  readonly name: string;
  /** Whether a pattern, or a longer one, could end in text that comes later. */
  readonly open: boolean;
}

/**
 * Many short texts that are looked for at once. Skips ahead by what three characters rule out (the
 * idea of Wu and Manber, 1994) and compares along a tree where nothing is ruled out: a text costs
 * about the same whether there are ten patterns or ten thousand.
 */
export class PatternSet {
  /** By hash of a block: how many characters a pattern's first six can still be away. */
  readonly #skip = new Uint8Array(1 << HASH_BITS).fill(MIN_LENGTH - BLOCK + 1);
  readonly #root: Node = { edge: "", name: undefined, next: new Map() };
  #longest = 0;

  /** Adds a pattern of `MIN_LENGTH` to `MAX_PIECE` characters; of two names the first stays. */
  add(pattern: string, name: string): void {
    if (pattern.length < MIN_LENGTH || pattern.length > MAX_PIECE) {
      throw new RangeError(`A pattern of ${pattern.length} characters`);
    }
    this.#longest = Math.max(this.#longest, pattern.length);
    for (let end = BLOCK; end <= MIN_LENGTH; end++) {
      const block = blockAt(pattern, end - BLOCK);
      this.#skip[block] = Math.min(this.#skip[block] ?? 0, MIN_LENGTH - end);
    }
    let node = this.#root;
    let at = 0;
    while (at < pattern.length) {
      const child = node.next.get(pattern.charCodeAt(at));
      if (child === undefined) {
        const leaf = { edge: pattern.slice(at), name, next: new Map() };
        node.next.set(pattern.charCodeAt(at), leaf);
        return;
      }
      const shared = sharedLength(child.edge, pattern, at);
      if (shared < child.edge.length) split(child, shared);
      node = child;
      at += shared;
    }
    node.name ??= name;
  }

  /** Calls `found` for the longest pattern at each place of `text` before `limit` where one begins, in order. */
  search(
    text: string,
    limit: number,
    found: (start: number, end: number, name: string) => void,
  ): void {
    const last = Math.min(limit - 1, text.length - MIN_LENGTH);
    let start = 0;
    while (start <= last) {
      const skip = this.#skip[blockAt(text, start + MIN_LENGTH - BLOCK)] ?? 0;
      if (skip > 0) {
        start += skip;
        continue;
      }
      const { end, name } = this.#walk(text, start);
      if (end >= 0) found(start, end, name);
      start += 1;
    }
  }

  /** The first place of `text` from which on a pattern could begin that ends in text that comes later. */
  openFrom(text: string): number {
    for (let start = Math.max(0, text.length - this.#longest); start < text.length; start++) {
      if (this.#walk(text, start).open) return start;
    }
    return text.length;
  }

  #walk(text: string, start: number): Walk {
    let node = this.#root;
    let at = start;
    let end = -1;
    let name = "";
    for (;;) {
      if (node.name !== undefined) {
        end = at;
        name = node.name;
      }
      if (at >= text.length) return { end, name, open: node.next.size > 0 };
      const child = node.next.get(text.charCodeAt(at));
      if (child === undefined) return { end, name, open: false };
      const shared = sharedLength(child.edge, text, at);
      at += shared;
      if (shared < child.edge.length) return { end, name, open: at >= text.length };
      node = child;
    }
  }
}

/** Hash of the three characters of `text` from `at` on. */
function blockAt(text: string, at: number): number {
  const a = Math.imul(text.charCodeAt(at), 0x9e3779b1);
  const b = Math.imul(text.charCodeAt(at + 1), 0x85ebca6b);
  const c = Math.imul(text.charCodeAt(at + 2), 0xc2b2ae35);
  return (a ^ b ^ c) >>> (32 - HASH_BITS);
}

/** How many characters of `edge` `text` has from `at` on. */
function sharedLength(edge: string, text: string, at: number): number {
  const most = Math.min(edge.length, text.length - at);
  let shared = 0;
  while (shared < most && edge.charCodeAt(shared) === text.charCodeAt(at + shared)) shared += 1;
  return shared;
}

/** Cuts the edge that leads to `node` after `length` characters: what it was becomes its only child. */
function split(node: Node, length: number): void {
  const rest: Node = { edge: node.edge.slice(length), name: node.name, next: new Map(node.next) };
  node.edge = node.edge.slice(0, length);
  node.name = undefined;
  node.next.clear();
  node.next.set(rest.edge.charCodeAt(0), rest);
}
