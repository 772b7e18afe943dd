import { availableParallelism, cpus } from "node:os";

/** The machine that figures were measured on, for the record beside them. */
export function thisMachine(): object {
  return {
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
  };
}
