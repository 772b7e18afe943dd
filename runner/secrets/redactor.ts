/** Takes the values of secrets out of text, in every form in which they may appear there. */
export interface Redactor {
  /** From now on `value` is taken out, `name` is shown in its place. Values of less than 6 characters are let through. */
  add(name: string, value: string): void;
  /** The text without values; the same string if it holds none. */
  redact(text: string): string;
  /** Whether it knows no value yet, so that no text can hold one; false unless given. */
  readonly isEmpty?: boolean;
}

/** A redactor that knows no secrets. */
export const NO_SECRETS: Redactor = { add: () => {}, redact: (text) => text };
