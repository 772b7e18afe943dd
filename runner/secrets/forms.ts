/** Fewest characters of a value that is taken out: a shorter one is found in text that has nothing to do with it. */
export const MIN_LENGTH = 6;

/** Longest piece that is looked for: bounds what a search compares, and what a stream holds back. */
export const MAX_PIECE = 128;

/** Characters that `encodeURIComponent` and its kin in other languages leave as they are. */
const URL_SAFE = [
  /[\w.~!*'()-]/, // encodeURIComponent
  /[\w.~-]/, // RFC 3986 §2.3
  /[\w.~/-]/, // a path, as Python's quote() writes it
  /[\w.*-]/, // application/x-www-form-urlencoded
  /[\w.~!*'()\-;/?:@&=+$,#]/, // encodeURI
];

/** Characters that writers of JSON escape although RFC 8259 §7 does not ask for it, with the case of the digits. */
const JSON_ESCAPED: readonly (readonly [characters: RegExp, upper: boolean])[] = [
  [/[^\x20-\x7e]/g, false], // Python, PHP
  [/[^\x20-\x7e]/g, true],
  [/[<>&\u2028\u2029]/g, false], // Go
  [/[^\x20-\x7e]|[<>&'+`]|\\"/g, true], // .NET
];

/** Begin and end of a block of PEM (RFC 7468 §2), and keys without a value: lines that are no secret. */
const PLAIN_LINE = /^(?:-----(?:BEGIN|END) [\w ]+-----|(?:- )?["']?[\w.-]+["']?:\s*[[{|>]?)$/;

/**
 * The texts in which `value` can be met: as it is, as the inside of a JSON string, in base64 wherever
 * it lies in what was encoded, percent-encoded, and in hex. Longer ones are cut into pieces of at
 * most `MAX_PIECE`, which together cover them; of a value of several lines each line counts, too.
 */
export function formsOf(value: string): ReadonlySet<string> {
  const bytes = Buffer.from(value, "utf8");
  const hex = bytes.toString("hex");
  const whole = [
    ...textForms(value),
    ...base64Forms(bytes),
    ...urlForms(bytes),
    hex,
    hex.toUpperCase(),
  ];
  const lines = value.split(/[\r\n]+/).map((line) => line.trim());
  const pieces = (lines.length > 1 ? lines : [])
    .filter((line) => line.length >= MIN_LENGTH && !PLAIN_LINE.test(line))
    .flatMap(textForms);
  return new Set([...whole, ...pieces].flatMap(cut));
}

function textForms(value: string): string[] {
  const inside = JSON.stringify(value).slice(1, -1);
  const escaped = JSON_ESCAPED.map(([characters, upper]) =>
    inside.replace(characters, (text) => {
      const digits = text.charCodeAt(text.length - 1).toString(16).padStart(4, "0");
      return `\\u${upper ? digits.toUpperCase() : digits}`;
    })
  );
  const json = [inside, ...escaped];
  return [value, ...json, ...json.map((text) => text.replaceAll("/", "\\/"))];
}

/**
 * Base64 (RFC 4648 §4, §5) of anything that holds the value: with 0, 1 or 2 bytes before it in the
 * first group, the characters that depend on the value alone; where it is the end, its last one and
 * the padding as well.
 */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    const ended = text.slice(Math.ceil(before * 8 / 6));
    const bare = ended.replace(/=+$/, "");
    const inner = bare.length === ended.length ? bare : bare.slice(0, -1);
    return [inner, bare, ended].flatMap((form) => [
      form,
      form.replaceAll("+", "-").replaceAll("/", "_"),
    ]);
  });
}

function urlForms(bytes: Buffer): string[] {
  return URL_SAFE.flatMap((safe) => {
    const upper = Array.from(bytes, (byte) => {
      const character = String.fromCharCode(byte);
      if (byte < 0x80 && safe.test(character)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    }).join("");
    const lower = upper.replace(/%../g, (code) => code.toLowerCase());
    return [upper, lower].flatMap((form) => [form, form.replaceAll("%20", "+")]);
  });
}

/** Pieces of the same length, but for rounding, that make up `form`. */
function cut(form: string): string[] {
  const count = Math.ceil(form.length / MAX_PIECE);
  return Array.from(
    { length: count },
    (_, n) =>
      form.slice(Math.round(n * form.length / count), Math.round((n + 1) * form.length / count)),
  );
}
