import assert from "node:assert/strict";
import { test } from "node:test";
import { userNumber } from "../../runner/docker/passwd.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/sh
node:x:1000:1000:Linux User,,,:/home/node:/bin/sh
toor:x:0:0::/:/bin/sh
broken
odd:x:-1:0::/:/bin/sh
`;

const cases: [user: string, number: number, why: string][] = [
  ["root", 0, "is root"],
  ["node", 1000, "has an account"],
  ["toor", 0, "is another name for root"],
  ["ghost", 0, "has no account"],
  ["broken", 0, "has half a line"],
  ["odd", 0, "has a number that is none"],
];
for (const [user, number, why] of cases) {
  test(`userNumber() of a user who ${why} is ${number}`, () => {
    assert.equal(userNumber(PASSWD, user), number);
  });
}
