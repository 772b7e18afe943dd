/**
 * What a server says when its isolation is in its way, and what to change: servers report a symptom, the
 * cause is ours. Called when a server has failed to start or has crashed.
 *
 *     stderr → rules, in their order → the first that knows a line → cause and fix
 *
 * The text comes from the server and is not trusted: nothing of it is repeated but paths and names made of
 * plain characters.
 *
 * @module
 */

/** One symptom. */
interface Rule {
  readonly symptom: RegExp;
  /** Cause and fix; gets the line that has the symptom. */
  readonly explain: (line: string) => string;
}

/** How much of the text is looked at, from its end: what was said last tells most. */
const MAX_CHARACTERS = 64 * 1024;

const PATH = /(?<![\w.:/-])(\/[\w@.+-]{1,64}(?:\/[\w@.+-]{1,64}){0,15})/g;
const HOST = /(?<![\w.-])((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24})(?![\w./-])/i;

/** Files that programs mention because they run from there, not because they want to write there. */
const PROGRAM = /\.(?:[cm]?[jt]s|py|so(?:\.\d+)*)$|^\/(?:usr|lib|lib64|bin|sbin|opt\/venv)\//;

const RULES: readonly Rule[] = [
  {
    symptom: /exec format error/i,
    explain: () =>
      "its program is for another kind of processor, use an image that is made for this machine's",
  },
  {
    symptom:
      /GLIBC_[\d.]+' not found|(?:ld-linux|ld-musl)[\w.-]*: (?:No such file|not found)|Error relocating .*: symbol not found|invalid ELF header/i,
    explain: () =>
      "a library in its image does not fit its program (glibc or musl, or another processor), use the image's variant for the other or a newer one",
  },
  {
    symptom: /\bEROFS\b|read-only file ?system/i,
    explain: (line) => {
      const path = pathIn(line);
      return path === undefined
        ? "it writes outside of /tmp, where all is read-only: mount a volume where it writes, or write writable: true"
        : `it writes to ${path}, and all but /tmp is read-only: mount a volume such as data:${
          folderOf(path)
        }, or write writable: true`;
    },
  },
  {
    symptom:
      /failed to map segment from shared object|\/tmp\/\S+[^\n]*(?:permission denied|EACCES)|(?:permission denied|EACCES)[^\n]*\/tmp\/|cannot execute[^\n]*\/tmp\//i,
    explain: () =>
      "it runs a program or a library from /tmp, where none may run: write execTmp: true",
  },
  {
    symptom: /\bENOSPC\b|no space left on device/i,
    explain: () =>
      "a folder in memory is full, /tmp has 64 MiB: mount a volume at the folder that it fills",
  },
  {
    symptom: /\bEMFILE\b|too many open files/i,
    explain: () =>
      "it has more than 4096 files open, which is the limit: look for what it does not close",
  },
  {
    symptom:
      /\bEAGAIN\b[^\n]*(?:spawn|fork|thread)|(?:fork|spawn|thread)[^\n]*(?:EAGAIN|resource temporarily unavailable)|can't start new thread/i,
    explain: () => "it has as many processes and threads as it may have: raise limits.pids",
  },
  {
    symptom: /heap out of memory|MemoryError\b|\bENOMEM\b|cannot allocate memory/i,
    explain: () => "it ran out of memory: raise limits.memory",
  },
  {
    symptom:
      /\b(?:ENETUNREACH|EAI_AGAIN|EHOSTUNREACH|ENOTFOUND)\b|network is unreachable|temporary failure in name resolution|could not resolve host|name or service not known|no such host|dns error/i,
    explain: (line) => {
      const host = HOST.exec(line)?.[1];
      return host === undefined
        ? "it connects to something, and may not: add the host to its network list"
        : `it connects to ${host}, and may not: add "${host}" to its network list`;
    },
  },
  {
    symptom:
      /\b(?:bind|listen)\b[^\n]*(?:permission denied|EACCES)|(?:permission denied|EACCES)[^\n]*\b(?:bind|listen)\b/i,
    explain: () =>
      "it listens on a port below 1024 without the right to: let it listen on another, or write root: true and caps: [NET_BIND_SERVICE]",
  },
  {
    symptom:
      /\b(?:setuid|setgid|setgroups|su-exec|gosu|chown|fchown|lchown|chroot|mount|unshare|ptrace)\b[^\n]*(?:operation not permitted|EPERM)|(?:operation not permitted|EPERM)[^\n]*\b(?:setuid|setgid|setgroups|chown|chroot|mount|unshare|ptrace)\b/i,
    explain: (line) => {
      const caps = /chown/i.test(line)
        ? "CHOWN"
        : /setuid|setgid|setgroups|su-exec|gosu/i.test(line)
        ? "SETUID, SETGID"
        : undefined;
      return caps === undefined
        ? "it does what only a privileged container may, and no server gets that right"
        : `it changes users or owners, as programs do that expect to be root: write root: true and caps: [${caps}], or user: with the user it changes to`;
    },
  },
  {
    symptom: /\bEACCES\b|permission denied/i,
    explain: (line) => {
      const path = pathIn(line);
      return path === undefined
        ? "a file or folder is closed to the user that it runs as: see user, or write root: true if the image expects root"
        : `${path} is closed to the user that it runs as: if it is a volume, change its owner; else see user, or write root: true if the image expects root`;
    },
  },
];

/**
 * Why a server failed and what to change, as far as what it wrote to stderr lets one tell.
 *
 * @param stderr Lines of stderr, the last ones last.
 * @returns Continues a sentence about the server; undefined when nothing is known.
 */
export function diagnose(stderr: string): string | undefined {
  const lines = stderr.slice(-MAX_CHARACTERS).split("\n").map((line) => line.slice(0, 1_000));
  for (const { symptom, explain } of RULES) {
    const line = lines.findLast((line) => symptom.test(line));
    if (line !== undefined) return explain(line);
  }
  return undefined;
}

/** The path that a line is about: the first that is no program's. */
function pathIn(line: string): string | undefined {
  return [...line.matchAll(PATH)].map(([, path = ""]) => path.replace(/\.$/, ""))
    .find((path) => !PROGRAM.test(path));
}

/** The folder to be mounted for a path: of what has an ending, and so is a file, the one that it is in. */
function folderOf(path: string): string {
  const folder = /\/[^/]*\.[^/]+$/.test(path) ? path.slice(0, path.lastIndexOf("/")) : path;
  return folder === "" ? path : folder;
}
