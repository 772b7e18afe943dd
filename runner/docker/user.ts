/**
 * Who a server runs as. Called by create.ts.
 *
 *     user of the config, else of the image → root, by number, by name, or by the image's list of users?
 *         → root: true   stays so
 *         → the image's  NOBODY
 *         → the config's refused
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { ContainerSpec } from "./create.ts";
import type { Engine } from "./engine.ts";
import { isRoot, NOBODY } from "./host-config.ts";
import { traitsOf } from "./image-traits.ts";
import type { ImageFacts } from "./inspect.ts";
import { accountOf } from "./passwd.ts";

/** The user of one container. */
export interface ContainerUser {
  /** As the engine takes it; empty for the image's own, which is root. */
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Finds out who the server of `image` is to run as.
 *
 * @throws {GatewayError} `config_invalid` when the config names root without allowing it.
 */
export async function userOf(
  engine: Engine,
  image: ImageFacts,
  { user: asked, isolation, labels }: ContainerSpec,
): Promise<ContainerUser> {
  const mayBeRoot = isolation?.root ?? false;
  const user = asked ?? image.Config.User;
  const [name = "", group = ""] = user.split(":");
  const gid = /^\d+$/.test(group) ? Number(group) : undefined;
  if (isRoot(name)) {
    if (mayBeRoot) return { user, uid: 0, gid: gid ?? 0 };
    if (asked === undefined) return nobody();
    throw refused(asked, "it is root");
  }
  if (/^\d+$/.test(name)) return { user, uid: Number(name), gid: gid ?? 0 };

  const account = accountOf((await traitsOf(engine, image, labels)).passwd, name);
  if (account !== undefined && (account.uid !== 0 || mayBeRoot)) {
    // By its number: the engine reads the list for itself, and might find another one by the name.
    const number = String(account.uid);
    return {
      user: group === "" ? number : `${number}:${group}`,
      uid: account.uid,
      gid: gid ?? account.gid,
    };
  }
  if (asked !== undefined) {
    throw account === undefined
      ? new GatewayError(
        "config_invalid",
        `Cannot run the server as user ${
          JSON.stringify(asked)
        }: the image does not list it, write a number such as 1000:1000`,
      )
      : refused(asked, "it is root in this image");
  }
  return nobody();
}

function nobody(): ContainerUser {
  const [uid = 0, gid = 0] = NOBODY.split(":").map(Number);
  return { user: NOBODY, uid, gid };
}

function refused(user: string, why: string): GatewayError {
  return new GatewayError(
    "config_invalid",
    `Cannot run the server as user ${JSON.stringify(user)}: ${why}, write root: true if it must be`,
  );
}
