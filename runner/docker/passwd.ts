/**
 * Who the users of an image are: `USER app` says nothing, `/etc/passwd` of the image decides, and the image
 * is not trusted. Called by user.ts.
 *
 * @module
 */

/** Number of `user` in the text of a passwd file (passwd(5)); 0, root, if the file does not list it. */
export function userNumber(passwd: string, user: string): number {
  return accountOf(passwd, user)?.uid ?? 0;
}

/** Numbers of `user` and its group, if the file lists it with both. */
export function accountOf(
  passwd: string,
  user: string,
): { readonly uid: number; readonly gid: number } | undefined {
  const line = passwd.split("\n").find((line) => line.startsWith(`${user}:`));
  const [, , uid = "", gid = ""] = line?.split(":") ?? [];
  if (!/^\d+$/.test(uid)) return undefined;
  return { uid: Number(uid), gid: /^\d+$/.test(gid) ? Number(gid) : 0 };
}
