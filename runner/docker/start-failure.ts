/**
 * What the engine says when it cannot make or start a container, as an error that says what to do. Called
 * by create.ts and container.ts.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { ContainerSpec } from "./create.ts";
import { isRefusal } from "./deadline.ts";

/**
 * `error` as it should reach the user; what is not a refusal of the engine stays as it is.
 *
 * @param what Completes "Cannot … a container".
 */
export function startFailure(
  what: "create" | "start",
  { image, isolation }: Pick<ContainerSpec, "image" | "isolation">,
  error: unknown,
): unknown {
  if (!isRefusal(error)) return error;
  const failed = (text: string) =>
    new GatewayError("server_failed", `Cannot ${what} a container of image "${image}": ${text}`, {
      cause: error,
    });
  // runc's message is inside those of the engine and of containerd.
  const reason = error.reason
    .replace(/^.*starting container process caused: /, "")
    .replace(
      /^(failed to create (shim )?task|OCI runtime create failed|runc create failed)[^:]*: /g,
      "",
    )
    .replace(/: unknown$/, "");
  const runtime = isolation?.runtime;
  // 20.10: "Unknown runtime specified"; 23 and newer: "unknown or invalid runtime name".
  if (
    runtime !== undefined &&
    /runtime (specified|name)|containerd-shim-|executable file/i.test(reason)
  ) {
    const [product, url] = RUNTIMES[runtime];
    return failed(
      `the engine has no runtime "${runtime}", install ${product} (${url}) and add it to "runtimes" of the engine's daemon.json, or remove runtime`,
    );
  }
  if (isolation?.gpus !== undefined && /device driver|nvidia|gpu/i.test(reason)) {
    return failed(
      "the engine has no GPU to give, install the NVIDIA Container Toolkit (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit) and restart the engine, or remove gpus",
    );
  }
  if (/exec format error/i.test(reason)) {
    return failed("its program is for another kind of processor, use an image for this machine's");
  }
  return failed(reason);
}

const RUNTIMES = {
  runsc: ["gVisor", "https://gvisor.dev/docs/user_guide/install"],
  kata: ["Kata Containers", "https://katacontainers.io/docs"],
} as const;
