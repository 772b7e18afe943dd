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
