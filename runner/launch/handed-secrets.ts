import type { ServerConfig } from "../config/config.ts";
import type { HandedSecrets } from "../docker/create.ts";
import type { SecretReference } from "../secrets/reference.ts";
import type { LaunchContext } from "./launcher.ts";

/**
 * The values of a server's secrets; undefined if it has none. Called after its approval: a reference may
 * name a program of this machine, which is run for its value.
 *
 * @throws {GatewayError} `secret_missing`, with the command that sets it.
 */
export async function handedSecrets(
  { name, ...config }: ServerConfig,
  { secrets }: LaunchContext,
): Promise<HandedSecrets | undefined> {
  const resolve = async (references: Readonly<Record<string, SecretReference>>) => {
    const values = new Map<string, string>();
    for (const [variable, reference] of Object.entries(references)) {
      values.set(variable, await secrets.resolve(reference, name));
    }
    return values;
  };
  const variables = await resolve(config.secrets);
  const files = await resolve(config.secretFiles);
  if (variables.size + files.size === 0) return undefined;
  return { variables, files, mayUseEnvironment: config.allowEnvSecrets };
}
