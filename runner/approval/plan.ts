/**
 * What a server is going to be run as, in full and in words: shown to a person before its first start
 * (SEP-1024), and bound to the answer by a hash.
 *
 * @module
 */

/** How a server will run. */
export interface LaunchPlan {
  readonly server: string;
  /** Image reference as the config or the lock has it. */
  readonly image: string;
  /** `sha256:…` of the registry's manifest, or else the id of the local image. */
  readonly digest: string;
  /** Entry point and arguments. */
  readonly command: readonly string[];
  /** Names of the variables that it gets, secrets not included. */
  readonly variables: readonly string[];
  /** Names of the variables that hold secrets, with the references, never a value. */
  readonly secrets: readonly string[];
  /** `<host path or volume>:<container path>:<ro|rw>`. */
  readonly mounts: readonly string[];
  /** `<host>:<port>`; empty: no network. */
  readonly network: readonly string[];
  /** Opt-outs of the isolation as the config names them, such as `root` or `caps: CHOWN`. */
  readonly optOuts: readonly string[];
}

/** Says whether a server may start as planned. */
export interface Approvals {
  /**
   * Resolves if it may. Asks a person if one is there and has not been asked about this plan.
   *
   * @throws {GatewayError} `not_approved`, with the command that approves it.
   */
  check(plan: LaunchPlan): Promise<void>;
}
