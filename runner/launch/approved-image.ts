import { GatewayError } from "../../src/errors.ts";
import type { LaunchPlan } from "../approval/plan.ts";
import type { ServerConfig } from "../config/config.ts";
import type { ContainerSource } from "../config/source.ts";
import { type ImageFacts, inspectImage } from "../docker/inspect.ts";
import { ensureImage, type ImageOptions, type ReadyImage } from "../image/image.ts";
import type { LaunchContext } from "./launcher.ts";

/** What is approved, and how. */
export interface ApprovedImageOptions {
  readonly config: ServerConfig;
  readonly context: LaunchContext;
  /** Makes what is shown to whoever is asked, of the image that was found. */
  readonly plan: (ready: ReadyImage, facts: ImageFacts) => Promise<LaunchPlan>;
  readonly progress: (line: string) => void;
}

/**
 * The image of `source`, ready to be started: there, verified, approved and pinned, in this order.
 *
 * @throws {GatewayError} why it is not; `not_approved` when nobody has agreed to it.
 */
export async function approvedImage(
  source: ContainerSource,
  { config, context, plan, progress }: ApprovedImageOptions,
): Promise<ReadyImage> {
  const engine = await context.engine();
  return await ensureImage(engine, source, progress, {
    ...imageOptions(config, context),
    // Before it is pinned: what a person refuses must not be what the next start finds.
    check: async (found) => {
      const facts = await inspectImage(engine, found.image);
      if (facts === undefined) {
        throw new GatewayError(
          "image_missing",
          `Cannot use image "${found.image}": it was removed just now`,
        );
      }
      await context.approvals.check(await plan(found, facts));
    },
  });
}

function imageOptions({ name }: ServerConfig, context: LaunchContext): ImageOptions {
  const { lock, journal, signed, home, accept, log } = context;
  const warn = (line: string) => log("warn", `Server "${name}": ${line}`);
  return { lock, journal, server: name, signed, accept, stateDirectory: home, warn };
}
