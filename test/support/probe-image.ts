import { connectEngine } from "../../runner/docker/engine.ts";
import { ensureBaseImage } from "../../runner/image/base-image.ts";

/** An image with Node as its entry point and nothing else, for probe servers. */
export async function probeImage(): Promise<string> {
  return (await ensureBaseImage(await connectEngine(), () => {})).image;
}
