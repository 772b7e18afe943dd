/**
 * A machine with a credential helper of Docker: a small real program that keeps what it is told in a
 * folder, in the protocol of `docker-credential-*`.
 *
 * @module
 */
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const HELPER = `#!/bin/sh
fail() { echo "$1"; exit 1; }
read -r line
echo "$1" >> "$KEPT/actions"
case "$1" in
  store) url=$(printf %s "$line" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/') ;;
  *) url=$line ;;
esac
file="$KEPT/$(printf %s "$url" | tr -c 'A-Za-z0-9.-' _)"
case "$1" in
  store) printf '%s\\n' "$line" > "$file" ;;
  get) [ -f "$file" ] || fail "credentials not found in native keychain"; cat "$file" ;;
  erase) rm "$file" 2>/dev/null || fail "credentials not found in native keychain" ;;
  *) fail "unknown action" ;;
esac
`;

/** A user's environment and state directory. */
export interface HelperMachine {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  /** All that the helper keeps, as one text. */
  kept(): Promise<string>;
}

/** A machine below `folder` whose Docker CLI is set to use a helper; another script if given. */
export async function createHelperMachine(
  folder: string,
  script: string = HELPER,
): Promise<HelperMachine> {
  const root = await mkdtemp(join(folder, "machine-"));
  const [home, bin, kept, docker] = ["home", "bin", "kept", "docker"].map((name) =>
    join(root, name)
  ) as [string, string, string, string];
  for (const path of [home, bin, kept, docker]) await mkdir(path, { mode: 0o700 });
  await writeFile(join(bin, "docker-credential-folder"), script, { mode: 0o755 });
  await writeFile(join(docker, "config.json"), '{"auths":{},"credsStore":"folder"}');
  return {
    home,
    env: { PATH: `${bin}:/usr/bin:/bin`, HOME: root, DOCKER_CONFIG: docker, KEPT: kept },
    kept: async () => {
      const names = await readdir(kept);
      return (await Promise.all(names.map((name) => readFile(join(kept, name), "utf8")))).join("");
    },
  };
}
