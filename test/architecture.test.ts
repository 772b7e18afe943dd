/**
 * The rules that keep the tree drawable: who may import what, and why (docs/architecture.md).
 *
 * The checker is a function over a list of `{ path, source }`. It runs once over the project, and
 * once per rule over files that break it, so that no rule can stop working unnoticed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** A file by its path from the project's root, with forward slashes. */
interface SourceFile {
  readonly path: string;
  readonly source: string;
}

/** One import or re-export, its target resolved: a path of the project, or a bare specifier. */
interface Import {
  readonly target: string;
  readonly how: "static" | "dynamic" | "type";
}

/** What the rules look at. */
interface Module {
  readonly path: string;
  readonly imports: readonly Import[];
  /** Exported declarations without a doc comment. */
  readonly undocumented: readonly string[];
  /** Globals of one runtime that the code names, other than through `globalThis`. */
  readonly globals: readonly string[];
  /** Whether the first comment is a doc comment with `@module`. */
  readonly described: boolean;
}

interface Rule {
  readonly name: string;
  readonly why: string;
  /** What is wrong with `module`, one entry per fault. */
  check(module: Module, all: readonly Module[]): readonly string[];
  /** Files that break the rule, each alone. */
  readonly broken: readonly SourceFile[];
}

const NODE_ONLY = "worker/platform/node.ts";
const RUNTIME_GLOBALS = ["Deno", "WebSocketPair", "process", "Buffer", "require", "__dirname"];
const VAGUE = ["util", "utils", "helper", "helpers", "common", "misc", "type", "types"];

const rules: readonly Rule[] = [
  {
    name: "src imports src and valibot only",
    why: "both ends load it, one of them on an edge runtime: Web APIs and nothing else",
    check: (module) => inFolder("src", module) ? foreign(module, ["src"], ["valibot"]) : [],
    broken: [
      file("src/a.ts", `import { Home } from "../worker/home/home.ts";`),
      file("src/a.ts", `import { Engine } from "../runner/docker/engine.ts";`),
      file("src/a.ts", `import { readFile } from "node:fs";`),
      file("src/a.ts", `import type { Context } from "hono";`),
      file("src/a.ts", `import Docker from "dockerode";`),
      file("src/a.ts", `export * from "zod";`),
    ],
  },
  {
    name: "worker imports src and the packages of the worker",
    why:
      "it is a program of its own that runs where the runner cannot; every package is paid for " +
      "in cold starts",
    check: (module) =>
      inFolder("worker", module)
        ? foreign(module, ["src", "worker"], [
          "hono",
          "valibot",
          ...(module.path === NODE_ONLY ? ["@hono/node-server", "ws", "node:*"] : []),
        ])
        : [],
    broken: [
      file("worker/a.ts", `import { Gateway } from "../runner/gateway/gateway.ts";`),
      file("worker/a.ts", `const { up } = await import("../runner/cli/up.ts");`),
      file("worker/app.ts", `import { readFile } from "node:fs/promises";`),
      file("worker/app.ts", `import { readFile } from "fs/promises";`),
      file("worker/app.ts", `import { WebSocketServer } from "ws";`),
    ],
  },
  {
    name: `${NODE_ONLY} is imported with import() only`,
    why: "it imports Node's modules, which the edge runtimes do not have: they must never load it",
    check: ({ path, imports }) =>
      imports.filter(({ target, how }) =>
        target === NODE_ONLY && how === "static" && path !== target
      )
        .map(({ target }) => `imports ${target} at its top`),
    broken: [file("worker/main.ts", `import { listen } from "./platform/node.ts";`)],
  },
  {
    name: "globals of one runtime stay in its adapter",
    why:
      "a bare name that one runtime lacks is a ReferenceError there, and no type checker sees it",
    check: ({ path, globals }) =>
      /^(src|worker)\//.test(path) && path !== NODE_ONLY
        ? globals.map((name) => `uses ${name}`)
        : [],
    broken: [
      file("worker/app.ts", `const token = process.env.TOKEN;`),
      file("src/a.ts", `const bytes = Buffer.from("a");`),
      file("worker/platform/deno.ts", `Deno.serve(() => new Response());`),
    ],
  },
  {
    name: "runner never imports worker",
    why: "the worker is not trusted, and `up` loads the built file that everybody else runs",
    check: (module) => inFolder("runner", module) ? targets(module, /^worker\//) : [],
    broken: [
      file("runner/a.ts", `import { createApp } from "../worker/app.ts";`),
      file("runner/cli/up.ts", `await import("../../worker/main.ts");`),
      file("runner/a.ts", `import type { Home } from "../worker/home/home.ts";`),
    ],
  },
  {
    name: "runner imports src and the packages of the runner",
    why: "what it imports is bundled and runs with access to the user's Docker engine",
    check: (module) =>
      inFolder("runner", module)
        ? foreign(module, ["src", "runner", "worker"], [
          "@sigstore/bundle",
          "@sigstore/protobuf-specs",
          "@sigstore/verify",
          "dockerode",
          "jsonc-parser",
          "node:*",
          "oauth4webapi",
          "tar-fs",
          "undici",
          "valibot",
          "ws",
          "yaml",
        ])
        : [],
    broken: [
      file("runner/a.ts", `import { Hono } from "hono";`),
      file("runner/a.ts", `const { serve } = await import("@hono/node-server");`),
    ],
  },
  {
    name: "only runner/docker imports dockerode",
    why:
      "its traps (hangs, demultiplexing, options) are handled in one place, and it is replaceable",
    check: (module) => inFolder("runner/docker", module) ? [] : targets(module, /^dockerode$/),
    broken: [file("runner/server/a.ts", `import type Docker from "dockerode";`)],
  },
  {
    name: "only runner/upstream imports undici",
    why: "it is the slowest package to load; what merely fetches uses the global fetch",
    check: (module) =>
      !isShipped(module.path) || inFolder("runner/upstream", module)
        ? []
        : targets(module, /^undici$/),
    broken: [file("runner/gateway/a.ts", `const { fetch } = await import("undici");`)],
  },
  {
    name: "runner/egress-proxy imports src, Node's modules and itself",
    why:
      "it is a program of its own, in a container beside a hostile server: what it does not need " +
      "must not be in it",
    check: ({ path, imports, ...rest }) => {
      if (!path.startsWith("runner/egress-proxy/")) return [];
      const used = imports.filter(({ target, how }) =>
        how !== "type" || !target.startsWith("runner/config/")
      );
      return foreign({ path, imports: used, ...rest }, ["src", "runner/egress-proxy"], ["node:*"]);
    },
    broken: [
      file("runner/egress-proxy/a.ts", `import { targetText } from "../config/egress-target.ts";`),
      file("runner/egress-proxy/a.ts", `import { createEgress } from "../egress/egress.ts";`),
      file("runner/egress-proxy/a.ts", `import type { Engine } from "../docker/engine.ts";`),
      file("runner/egress-proxy/a.ts", `const { fetch } = await import("undici");`),
      file("runner/egress-proxy/a.ts", `import * as v from "valibot";`),
    ],
  },
  {
    name: "runner imports heavy packages with import()",
    why: "`mcp-runner --help` must not wait for a Docker client and a YAML parser",
    check: ({ path, imports }) =>
      path.startsWith("runner/")
        ? imports.filter(({ target, how }) =>
          how === "static" &&
          /^(@sigstore\/.*|jsonc-parser|oauth4webapi|undici|ws|yaml)$/.test(target)
        )
          .map(({ target }) => `imports ${target} at its top`)
        : [],
    broken: [file("runner/config/a.ts", `import { parse } from "yaml";`)],
  },
  {
    name: "MCP SDK: types only",
    why:
      "SDK classes are lossy and slow as a relay: payloads pass as raw text, and tests use the SDK",
    check: ({ path, imports }) =>
      isShipped(path)
        ? imports.filter(({ target, how }) =>
          target.startsWith("@modelcontextprotocol/") && how !== "type"
        ).map(({ target }) => `imports code of ${target}`)
        : [],
    broken: [
      file("worker/a.ts", `import { McpServer } from "@modelcontextprotocol/server";`),
      file("runner/a.ts", `import { Client } from "@modelcontextprotocol/sdk/client/index.js";`),
    ],
  },
  {
    name: "shipped code imports neither test nor bench nor scripts",
    why: "support code is written to be convenient, not to be safe",
    check: (module) => isShipped(module.path) ? targets(module, /^(test|bench|scripts)\//) : [],
    broken: [file("runner/a.ts", `import { fakeClock } from "../test/support/fake-clock.ts";`)],
  },
  {
    name: "names say what is inside",
    why: "a file called utils has no reason to stay small",
    check: ({ path }) =>
      path.replace(/(\.test)?\.[a-z]+$/, "").split("/").filter((part) => VAGUE.includes(part))
        .map((part) => `is called ${part}`),
    broken: [file("runner/docker/utils.ts", ""), file("src/common/clock.ts", "")],
  },
  {
    name: "every export has a doc comment",
    why: "the reader of a call should not need to read the callee",
    check: ({ path, undocumented }) =>
      isShipped(path) ? undocumented.map((name) => `exports ${name} without a doc comment`) : [],
    broken: [
      file("src/a.ts", "export const LIMIT = 1;"),
      file("worker/a.ts", "// not a doc comment\nexport function a() {}"),
      file("runner/a.ts", "/** Known. */\nexport interface A {}\nexport type B = A;"),
    ],
  },
  {
    name: "files of src/tunnel, worker and runner/docker say what they are",
    why: "these carry the protocols: who calls them and in which order is not visible in one file",
    check: ({ path, described }) =>
      /^(src\/tunnel|worker|runner\/docker)\//.test(path) && !described
        ? ["does not open with a @module comment"]
        : [],
    broken: [file("worker/a.ts", `import "hono";\n/** @module */`), file("src/tunnel/a.ts", "")],
  },
  {
    name: "every suite of test/contract is applied",
    why: "a suite that nobody imports passes for ever",
    check: ({ path }, all) => {
      if (!path.startsWith("test/contract/") || path.endsWith(".test.ts")) return [];
      const used = all.some(({ imports }) => imports.some(({ target }) => target === path));
      return used ? [] : ["is imported by no test"];
    },
    broken: [file("test/contract/store.ts", "export const suite = 1;")],
  },
];

function file(path: string, source: string): SourceFile {
  return { path, source };
}

function inFolder(folder: string, { path }: Module): boolean {
  return path.startsWith(`${folder}/`);
}

function isShipped(path: string): boolean {
  return /^(src|worker|runner)\//.test(path);
}

function targets({ imports }: Module, pattern: RegExp): string[] {
  return imports.filter(({ target }) => pattern.test(target)).map(({ target }) =>
    `imports ${target}`
  );
}

/** Imports outside `folders` and `packages`; types of the MCP SDK are welcome everywhere. */
function foreign(
  module: Module,
  folders: readonly string[],
  packages: readonly string[],
): string[] {
  return module.imports.filter(({ target, how }) => {
    if (how === "type" && target.startsWith("@modelcontextprotocol/")) return false;
    if (target.startsWith("node:")) return !packages.includes("node:*");
    const known = [...folders, ...packages];
    return !known.some((name) => target === name || target.startsWith(`${name}/`));
  }).map(({ target }) => `imports ${target}`);
}

/** Faults of `files`, each with its rule and the reason. */
function faults(files: readonly SourceFile[]): string[] {
  const modules = files.map(read);
  return rules.flatMap((rule) =>
    modules.flatMap((module) =>
      rule.check(module, modules).map((fault) =>
        `${module.path} ${fault} (${rule.name}: ${rule.why})`
      )
    )
  );
}

function read({ path, source }: SourceFile): Module {
  const tree = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const undocumented: string[] = [];
  const declared = new Set<string>();
  const used = new Set<string>();
  const visit = (node: ts.Node): void => {
    const found = importOf(node);
    if (found !== undefined) imports.push({ ...found, target: resolve(path, found.target) });
    if (isExported(node) && ts.getJSDocCommentsAndTags(node).length === 0) {
      undocumented.push(nameOf(node));
    }
    if (ts.isIdentifier(node) && RUNTIME_GLOBALS.includes(node.text)) {
      const { parent } = node;
      if (declaresName(parent, node)) declared.add(node.text);
      else if (!isMemberName(parent, node)) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const opening = ts.getLeadingCommentRanges(source, 0)?.[0];
  const comment = opening === undefined ? "" : source.slice(opening.pos, opening.end);
  return {
    path,
    imports,
    undocumented,
    globals: [...used].filter((name) => !declared.has(name)),
    described: comment.startsWith("/**") && /@module\b/.test(comment),
  };
}

function importOf(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    const type = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { target: node.moduleSpecifier.text, how: type ? "type" : "static" };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    if (!ts.isStringLiteral(node.moduleSpecifier)) return undefined;
    return { target: node.moduleSpecifier.text, how: node.isTypeOnly ? "type" : "static" };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    const { literal } = node.argument;
    return ts.isStringLiteral(literal) ? { target: literal.text, how: "type" } : undefined;
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments;
    return argument !== undefined && ts.isStringLiteralLike(argument)
      ? { target: argument.text, how: "dynamic" }
      : undefined;
  }
  return undefined;
}

/** A path of the project for a relative specifier; `node:` in front of every Node builtin. */
function resolve(from: string, specifier: string): string {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(from), specifier);
  return builtinModules.includes(specifier) ? `node:${specifier}` : specifier;
}

function isExported(node: ts.Node): boolean {
  if (!ts.canHaveModifiers(node)) return false;
  const modifiers = ts.getModifiers(node) ?? [];
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function nameOf(node: ts.Node): string {
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.map(({ name }) => name.getText()).join(", ");
  }
  return ts.isDeclarationStatement(node) ? node.name?.getText() ?? "default" : "something";
}

function declaresName(parent: ts.Node, node: ts.Identifier): boolean {
  return (ts.isBindingElement(parent) || ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) || ts.isImportSpecifier(parent) || ts.isImportClause(parent)) &&
    parent.name === node;
}

/** Whether `node` is only the name of a property or a type, and so looks nothing up. */
function isMemberName(parent: ts.Node, node: ts.Identifier): boolean {
  return (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    ((ts.isPropertySignature(parent) || ts.isPropertyAssignment(parent) ||
      ts.isPropertyDeclaration(parent) || ts.isMethodSignature(parent) ||
      ts.isMethodDeclaration(parent)) && parent.name === node) ||
    ts.isTypeNode(parent) || ts.isQualifiedName(parent) ||
    (ts.isBindingElement(parent) && parent.propertyName === node);
}

function projectFiles(root: string): SourceFile[] {
  return ["src", "worker", "runner", "test", "bench", "scripts"].flatMap((folder) => {
    let names: string[];
    try {
      names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    } catch {
      return []; // a folder that does not exist yet breaks no rule
    }
    const ours = names.filter((name) =>
      /\.(ts|tsx|mjs)$/.test(name) && !/(^|[\\/])node_modules[\\/]/.test(name)
    );
    return ours.map((name) => ({
      path: `${folder}/${name.replaceAll("\\", "/")}`,
      source: readFileSync(join(root, folder, name), "utf8"),
    }));
  });
}

test("the project keeps every rule", () => {
  const files = projectFiles(join(dirname(fileURLToPath(import.meta.url)), ".."));
  assert.ok(files.some(({ path }) => path.startsWith("src/")), "found no source at all");
  assert.equal(faults(files).join("\n"), "");
});

for (const { name, why, broken } of rules) {
  for (const each of broken) {
    test(`"${name}" catches ${each.path} with ${JSON.stringify(each.source)}`, () => {
      const found = faults([each]).filter((fault) => fault.includes(`(${name}: ${why})`));
      assert.equal(found.length, 1);
    });
  }
}

test("what the rules allow passes", () => {
  const allowed = [
    file("src/a.ts", `import * as v from "valibot";\n/** A. */\nexport const a = v.string();`),
    file(
      "worker/a.ts",
      `/** A.\n * @module */\nimport type { Tool } from "@modelcontextprotocol/core";`,
    ),
    file(
      "worker/b.ts",
      `/** B.\n * @module */\nconst { process } = globalThis as { process?: { pid: number } };\nprocess?.pid;`,
    ),
    file(NODE_ONLY, `/** Node.\n * @module */\nimport { createServer } from "node:http";`),
    file("worker/main.ts", `/** M.\n * @module */\nawait import("./platform/node.ts");`),
    file("runner/config/a.ts", `import type { Document } from "yaml";\nawait import("yaml");`),
    file(
      "runner/egress-proxy/a.ts",
      `import type { EgressTarget } from "../config/egress-target.ts";\nimport "node:net";`,
    ),
    file("test/a.test.ts", `import { createApp } from "../worker/app.ts";\nexport const a = 1;`),
  ];
  assert.deepEqual(faults(allowed), []);
});
