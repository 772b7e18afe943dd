/**
 * Names of processors: Docker uses Go's, Node and npm their own.
 *
 * @module
 */

const CPU: Readonly<Record<string, string>> = {
  amd64: "x64",
  "386": "ia32",
  ppc64le: "ppc64",
  loong64: "loong64",
};

/** Node's and npm's name of the processor that Docker calls `arch`; most are called the same. */
export function cpuOf(arch: string): string {
  return CPU[arch] ?? arch;
}
