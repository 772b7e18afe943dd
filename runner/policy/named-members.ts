/**
 * Members of a JSON Schema whose own members are named by its author, and are schemas: a parameter may
 * be called `pattern` or `default` (JSON Schema 2020-12 core §10.3.2, `definitions` before it).
 */
export const NAMED: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
  "dependencies",
]);
