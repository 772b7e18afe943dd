import type { GatewayError } from "../../src/errors.ts";

/** The tokens that one upstream gets with every request, as whoever sends requests sees them. */
export interface AccessTokens {
  /** Those that were given out: an upstream must not have them repeated to a client. */
  readonly sent: readonly string[];
  /**
   * The one to send now, renewed if it is about to expire; undefined without a login.
   *
   * @throws {GatewayError} `server_failed` when it has expired and cannot be renewed now.
   */
  current(): Promise<string | undefined>;
  /** Another one than `refused`, which the upstream did not take; undefined when only the user can get one. */
  renew(refused: string): Promise<string | undefined>;
  /** That there is no token, or none that is taken: `login_required` with the command that gets one. */
  missing(): GatewayError;
  /** That the upstream wants more than the token allows; the next login asks for these scopes. */
  insufficient(scopes: readonly string[]): Promise<GatewayError>;
}
