import type { SecretReference } from "./reference.ts";

/** Where values of secrets come from. */
export interface Secrets {
  /**
   * The value that `reference` stands for now: asked for at each start of a server, never kept.
   *
   * @param server Name of the server that it is for, for the message.
   * @throws {GatewayError} `secret_missing`, with the command that fixes it; never a part of a value.
   */
  resolve(reference: SecretReference, server: string): Promise<string>;
}
