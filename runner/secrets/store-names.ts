import type { ServerConfig } from "../config/config.ts";
import type { SecretReference } from "./reference.ts";

/** Names in the store of secrets that a server's config refers to, each once. */
export function storeNames(
  { secrets, secretFiles, oauth }: Pick<ServerConfig, "secrets" | "secretFiles" | "oauth">,
): readonly string[] {
  const references = [
    ...Object.values(secrets),
    ...Object.values(secretFiles),
    ...(oauth?.clientSecret === undefined ? [] : [oauth.clientSecret]),
  ];
  return [...new Set(references.flatMap(namesIn))];
}

function namesIn(reference: SecretReference): readonly string[] {
  if (reference.kind === "text") return Object.values(reference.parts).flatMap(namesIn);
  return reference.kind === "store" ? [reference.name] : [];
}
