/**
 * Characters that a person does not see and a model reads: tag characters, zero-width characters,
 * controls of the writing direction, selectors of variants that select nothing (Unicode 17, general
 * category Cf and Variation_Selector).
 *
 * @module
 */

/** Code points in hexadecimal: a range each. */
const HIDDEN = [
  "ad-ad", // soft hyphen
  "34f-34f", // grapheme joiner
  "61c-61c 200e-200f 202a-202e 2066-2069", // controls of direction
  "115f-1160 3164-3164 ffa0-ffa0 17b4-17b5", // letters that fill a place
  "180b-180f fe00-fe0f e0100-e01ef", // selectors of variants
  "200b-200d 2060-2065 206a-206f feff-feff fff9-fffb", // without width
  "e0000-e007f", // tags
].flatMap((ranges) => ranges.split(" ")).map((range) => range.replace(/[0-9a-f]+/g, "\\u{$&}"));

/** Controls other than tab, line feed and carriage return. */
const CONTROL = "\\u{0}-\\u{8}\\u{b}\\u{c}\\u{e}-\\u{1f}\\u{7f}-\\u{9f}";

/** Scripts in which letters are joined, or kept apart, by what has no width. */
const JOINING = [
  "Arabic",
  "Bengali",
  "Devanagari",
  "Gujarati",
  "Kannada",
  "Malayalam",
  "Sinhala",
  "Tamil",
  "Telugu",
].map((script) => `\\p{Script=${script}}`).join("");

const PICTURE = "\\p{Extended_Pictographic}";

/** What belongs where it is: between such letters, and in pictures that are made of several. */
const JOINED = [
  `(?<=${PICTURE}[\\u{fe0f}\\u{1f3fb}-\\u{1f3ff}]?)\\u{200d}(?=${PICTURE})`,
  `(?<=[${JOINING}])[\\u{200c}\\u{200d}](?=[${JOINING}])`,
  `(?<=[\\p{Emoji}${PICTURE}])\\u{fe0f}`,
  `(?<=${PICTURE})\\u{fe0e}`,
].join("|");

const UNSEEN = `[${HIDDEN.join("")}${CONTROL}]`;
const ANY = new RegExp(UNSEEN, "u");
const ALL = new RegExp(`(${JOINED})|${UNSEEN}`, "gu");
const EVERY = new RegExp(`${UNSEEN}|[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\u{2028}\\u{2029}]`, "gu");

/** Text without what cannot be seen. */
export interface Cleaned {
  readonly text: string;
  /** Characters that were taken out. */
  readonly count: number;
}

/** Takes out what cannot be seen; the same string where there is nothing of it. */
export function withoutInvisible(text: string): Cleaned {
  if (!ANY.test(text)) return { text, count: 0 };
  let count = 0;
  const cleaned = text.replace(ALL, (all, joined: string | undefined) => {
    if (joined !== undefined) return all;
    count++;
    return "";
  });
  return { text: cleaned, count };
}

/** Whether `text` has a character that cannot be seen. */
export function hasInvisible(text: string): boolean {
  if (!ANY.test(text)) return false;
  for (const [, joined] of text.matchAll(ALL)) if (joined === undefined) return true;
  return false;
}

/** Text for a terminal, in which every control and every character that cannot be seen is an escape. */
export function visible(text: string): string {
  // A joiner that belongs where it is may be what has changed.
  return text.replace(EVERY, (c) => {
    const code = c.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
  });
}
