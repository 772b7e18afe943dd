import type { SchemaNode } from "./parameters.ts";

/** A variable of a container: its value is a template. */
export interface EntryVariable {
  readonly name: string;
  readonly value: string;
}

/** A secret that a server takes in a variable. */
export interface EntrySecret {
  /** Name in the catalog, such as `github.personal_access_token`; what it is called in the store. */
  readonly name: string;
  readonly variable: string;
  /** False: the server can do without. */
  readonly required: boolean;
  /** True: it is a part of other values as `${variable}`, and no variable of its own. */
  readonly isPart?: boolean;
  readonly description?: string | undefined;
  readonly example?: string | undefined;
}

/** An argument of the command. */
export interface EntryArgument {
  readonly template: string;
  /** Left out unless this parameter has a value. */
  readonly needs?: string;
}

/** A tool, as far as catalogs describe tools. */
export interface EntryTool {
  readonly name: string;
  readonly description: string;
  /** Present where each call is a run of a container of its own. */
  readonly container?: {
    readonly image: string;
    readonly command: readonly string[];
    readonly volumes: readonly string[];
    readonly user?: string | undefined;
    /** JSON text of the schema of its arguments. */
    readonly inputSchema: string;
  };
}

/** What runs. */
export type EntryProgram =
  /** `image:`, `npm:` or `pypi:` and what follows, as a source is written in a configuration. */
  | { readonly kind: "container"; readonly source: string }
  | {
    readonly kind: "remote";
    /** A template. */
    readonly url: string;
    readonly transport: "sse" | "streamable-http";
    /** Values hold `${VARIABLE}` for secrets. */
    readonly headers: Readonly<Record<string, string>>;
    readonly isOAuth: boolean;
    readonly scopes: readonly string[];
  }
  | { readonly kind: "commands" };

/** A server as a catalog describes it, whatever the format. Nothing in it is trusted. */
export interface CatalogEntry {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly category: string;
  readonly tags: readonly string[];
  readonly program: EntryProgram;
  readonly command: readonly EntryArgument[];
  readonly env: readonly EntryVariable[];
  readonly secrets: readonly EntrySecret[];
  /** Settings of the user, as a JSON Schema of an object. */
  readonly parameters: SchemaNode;
  readonly volumes: readonly string[];
  readonly user?: string | undefined;
  readonly disableNetwork: boolean;
  readonly allowHosts: readonly string[];
  readonly extraHosts: readonly string[];
  readonly isLongLived: boolean;
  readonly tools: readonly EntryTool[];
  /** What its reader has to say of it, one line each. */
  readonly notes: readonly string[];
  /** Where it was read, for messages. */
  readonly place: string;
}
