/** Names of variables and headers whose values are secrets. */
const SECRET_NAME =
  /TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API[_-]?KEY|ACCESS[_-]?KEY|PRIVATE[_-]?KEY|(?:^|[_-])(?:KEY|PAT|PWD|AUTH|PASS|DSN)(?:$|[_-])|AUTHORIZATION|COOKIE/i;

/** Values that are secrets whatever they are called: prefixes of known tokens, URLs with a password. */
const SECRET_VALUE =
  /^(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-|pk_|rk_|AKIA|ASIA|AIza|ya29\.|eyJ[\w-]+\.|hf_|npm_|pypi-|dop_v1_|SG\.|ntn_|secret_|lin_api_|figd_)|^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]+:[^/\s@]+@|-----BEGIN [A-Z ]*PRIVATE KEY-----/i;

/** What somebody writes who has no secret yet. */
const PLACEHOLDER =
  /^(?:<[^>]*>|\[[^\]]*\]|\{[^}]*\}|x{3,}|\.{3}|…|your[-_ ].*|.*[-_ ]here|change[-_ ]?me|todo|null|undefined)$/i;

/** Whether a value belongs into the store of secrets rather than into a file. */
export function isSecret(name: string, value: string): boolean {
  if (value.trim() === "" || isPlaceholder(value)) return false;
  return SECRET_NAME.test(name) || SECRET_VALUE.test(value);
}

/** Options that say something of a secret, and do not hold it. */
const ABOUT_SECRET = /(?:file|path|dir|name|limit|count|size|type|mode|ttl|max|min)$/i;

/**
 * The name of the first argument that holds a secret, or of the one before it: `--api-key=…`,
 * `--token …`, or a value that is one by its form, which is then called by its number.
 */
export function secretArgument(args: readonly string[]): string | undefined {
  for (const [at, arg] of args.entries()) {
    const [, option = "", value] = /^(-{0,2}[A-Za-z][\w.-]*)(?:[=:]([\s\S]+))?$/.exec(arg) ?? [];
    const next = value ?? (option.startsWith("-") ? args[at + 1] : undefined) ?? "";
    if (
      option !== "" && !ABOUT_SECRET.test(option) &&
      (value !== undefined || !next.startsWith("-")) && isSecret(option, next)
    ) {
      return `argument ${option}`;
    }
    if (isSecret("", arg) || /\b(?:Bearer|Basic)\s+\S{8,}/i.test(arg)) return `argument ${at + 1}`;
  }
  return undefined;
}

/** The name of the first parameter in the query of a URL that holds a secret. */
export function secretParameter(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const found = [...new URL(url).searchParams].find(([name, value]) => isSecret(name, value));
  return found && `parameter ${found[0]}`;
}

/** Whether a value only stands where one is to be written. */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value.trim());
}

/** The variable of the surroundings that a value stands for: `${NAME}`, `${env:NAME}` or `$NAME`. */
export function variableOf(value: string): string | undefined {
  const [, braced, plain] =
    /^(?:\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*))$/
      .exec(value.trim()) ?? [];
  return braced ?? plain;
}

/** The prompt of VS Code that a value stands for: `${input:name}`. */
export function promptOf(value: string): string | undefined {
  return /\$\{input:([A-Za-z0-9_.-]+)\}/.exec(value)?.[1];
}
