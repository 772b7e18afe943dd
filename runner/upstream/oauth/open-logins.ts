import { join } from "node:path";
import { withLock } from "../../local/lock.ts";
import { openSecretStore, type SecretStorePlace } from "../../secrets/store.ts";
import { type TokenStore, tokenStore } from "./token-store.ts";

/** The logins of a state directory, kept where `mcp-runner secret set` keeps secrets: `oauth.<server>`. */
export function openLogins(place: SecretStorePlace): TokenStore {
  return tokenStore(
    openSecretStore(place),
    (name, work) => withLock(join(place.home, `${name}.lock`), work),
  );
}
