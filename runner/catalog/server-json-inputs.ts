import { SECRET_NAME } from "../secrets/reference.ts";
import type { EntryArgument, EntrySecret, EntryVariable } from "./entry.ts";
import type { SchemaNode } from "./parameters.ts";
import type { ArgumentFields, InputFields, KeyValueFields } from "./server-json.ts";

type Variables = Readonly<Record<string, InputFields>> | null | undefined;

/**
 * What one `server.json` asks the user for, gathered while its arguments, variables and headers become
 * templates: `{name}` of the registry becomes `{{name}}`, or `${NAME}` where it is a secret.
 */
export class Inputs {
  readonly secrets: EntrySecret[] = [];
  readonly #properties: Record<string, SchemaNode> = {};
  readonly #required: string[] = [];
  /** What secrets are called after in the store. */
  readonly #short: string;

  constructor(serverName: string) {
    this.#short = serverName.slice(serverName.indexOf("/") + 1);
  }

  /** The settings that the user may give. */
  get parameters(): SchemaNode {
    return { type: "object", properties: this.#properties, required: this.#required };
  }

  /** A value with variables as a template. */
  template(value: string, variables: Variables): string {
    return value.replace(/\{([A-Za-z_][A-Za-z0-9_.-]*)\}/g, (whole, name: string) => {
      const input = variables && Object.hasOwn(variables, name) ? variables[name] : undefined;
      if (input === undefined) return whole;
      if (input.value !== undefined) return input.value;
      return input.isSecret ? this.#part(name, input) : this.#parameter(name, input);
    });
  }

  /** A variable of the environment. */
  variable(it: KeyValueFields): readonly EntryVariable[] {
    const { name, value, isSecret } = it;
    if (value !== undefined) return [{ name, value: this.template(value, it.variables) }];
    if (!isSecret) return [{ name, value: this.#parameter(name, it) }];
    this.#secret({ variable: name, input: it, isPart: false });
    return [];
  }

  /** The value of a header. */
  header(it: KeyValueFields): string {
    if (it.value !== undefined) return this.template(it.value, it.variables);
    return it.isSecret ? this.#part(it.name, it) : this.#parameter(it.name, it);
  }

  /** An argument of the program; none or two words where it is `-x value`. */
  argument(it: ArgumentFields): readonly EntryArgument[] {
    const { name = "", type, value, isRepeated, valueHint } = it;
    const label = type === "named" ? name.replace(/^-+/, "") : valueHint ?? "argument";
    const fixed = value === undefined ? undefined : this.template(value, it.variables);
    // A name and nothing else is a switch.
    if (type === "named" && fixed === undefined && !asksForValue(it)) return [{ template: name }];
    const given = fixed ??
      (it.isSecret ? this.#part(label, it) : this.#parameter(label, it, isRepeated));
    const needs = fixed === undefined && !it.isSecret ? { needs: key(label) } : {};
    if (type === "positional") return [{ template: given, ...needs }];
    return /^-[^-]/.test(name)
      ? [{ template: name, ...needs }, { template: given, ...needs }]
      : [{ template: `${name}=${given}`, ...needs }];
  }

  #parameter(name: string, input: InputFields, isRepeated = false): string {
    const { description, isRequired, format, default: fallback, placeholder, choices } = input;
    const scalar: SchemaNode = {
      type: format === "number" || format === "boolean" ? format : "string",
      ...(choices && choices.length > 0 && { enum: choices }),
    };
    this.#properties[key(name)] = {
      ...(isRepeated ? { type: "array", items: scalar } : scalar),
      description,
      default: fallback,
      example: placeholder,
    };
    if (isRequired) this.#required.push(key(name));
    return `{{${key(name)}${isRepeated ? "|into" : ""}}}`;
  }

  #part(name: string, input: InputFields): string {
    const variable = name.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_");
    this.#secret({ variable, input, isPart: true });
    return `\${${variable}}`;
  }

  #secret({ variable, input, isPart }: {
    readonly variable: string;
    readonly input: InputFields;
    readonly isPart: boolean;
  }): void {
    if (this.secrets.some((other) => other.variable === variable)) return;
    const name = secretName(`${this.#short}.${variable}`);
    const { description, placeholder: example, isRequired = false } = input;
    this.secrets.push({ name, variable, required: isRequired, isPart, description, example });
  }
}

/** A name as the store takes it. */
export function secretName(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 128);
  return SECRET_NAME.test(plain) ? plain : "secret";
}

/** A name that templates can hold. */
function key(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, "_").replace(/^-+/, "") || "argument";
}

function asksForValue(it: ArgumentFields): boolean {
  return it.default !== undefined || it.valueHint !== undefined || it.isRequired === true ||
    it.isSecret === true || it.choices?.length !== undefined || it.format !== undefined ||
    it.placeholder !== undefined;
}
