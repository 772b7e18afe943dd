/**
 * Characters that a person does not see and a model reads: tag characters, zero-width characters,
 * controls of the writing direction, selectors of variants that select nothing (Unicode 17,
 * Default_Ignorable_Code_Point).
 *
 * @module
 */

/** What is shown as nothing, also what is not assigned yet, and marks of interlinear annotation. */
const HIDDEN = "\\p{Default_Ignorable_Code_Point}\\u{fff9}-\\u{fffb}";

/** Marks that give what is beside them a direction. */
const MARKS = "\\u{61c}\\u{200e}\\u{200f}";

/** Controls other than tab, line feed and carriage return. */
const CONTROL = "\\u{0}-\\u{8}\\u{b}\\u{c}\\u{e}-\\u{1f}\\u{7f}-\\u{9f}";

/** Scripts in which letters are joined, or kept apart, by what has no width. */
const JOINING = [
  "Arabic",
  "Bengali",
  "Devanagari",
  "Gujarati",
  "Gurmukhi",
  "Kannada",
  "Malayalam",
  "Oriya",
  "Sinhala",
  "Syriac",
  "Tamil",
  "Telugu",
].map((script) => `\\p{Script=${script}}`).join("");

/** Scripts that are written from right to left. */
const LEFTWARD = ["Arabic", "Hebrew", "Nko", "Syriac", "Thaana"]
  .map((script) => `\\p{Script=${script}}`).join("");

/** What stands between words, and takes its direction from what is around it. */
const BETWEEN = "[\\p{P}\\p{S}\\p{Zs}]{0,3}";

const PICTURE = "\\p{Extended_Pictographic}";

/**
 * What belongs where it is: between such letters, in pictures that are made of several, and a mark of
 * direction beside what is written from right to left; never what turns a whole text around.
 */
const JOINED = [
  `(?<=${PICTURE}[\\u{fe0f}\\u{1f3fb}-\\u{1f3ff}]?)\\u{200d}(?=${PICTURE})`,
  `(?<=[${JOINING}])[\\u{200c}\\u{200d}](?=[${JOINING}])`,
  `(?<=${PICTURE})\\u{fe0f}`,
  "(?<=[0-9#*])\\u{fe0f}(?=\\u{20e3})",
  `(?<=${PICTURE})\\u{fe0e}`,
  // The flags of England, Scotland and Wales.
  "(?<=\\u{1f3f4})\\u{e0067}\\u{e0062}(?:\\u{e0065}\\u{e006e}\\u{e0067}|\\u{e0073}\\u{e0063}\\u{e0074}|" +
  "\\u{e0077}\\u{e006c}\\u{e0073})\\u{e007f}",
  `(?<=[${LEFTWARD}]${BETWEEN})[${MARKS}]`,
  `(?<![${MARKS}])[${MARKS}](?=${BETWEEN}[${LEFTWARD}])`,
].join("|");

const UNSEEN = `[${HIDDEN}${CONTROL}]`;
const ANY = new RegExp(UNSEEN, "u");
const MARK = new RegExp(`[${MARKS}]`, "u");
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

/** Whether a name has a character that cannot be seen: two that look the same must be the same. */
export function hidesInName(name: string): boolean {
  return hasInvisible(name) || MARK.test(name);
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
