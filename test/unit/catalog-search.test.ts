import assert from "node:assert/strict";
import { test } from "node:test";
import { readCatalog } from "../../runner/catalog/read.ts";
import { searchEntries } from "../../runner/catalog/search.ts";
import { sheetOf, snippetOf } from "../../runner/catalog/sheet.ts";

const { entries } = await readCatalog(
  `registry:
  github: { type: server, image: a, title: GitHub, description: Issues and pull requests }
  gitlab: { type: server, image: a, title: GitLab, description: Merge requests }
  notes:
    type: server
    image: ada/notes
    description: Notes that are kept beside GitHub issues
    tools: [{ name: add_note }, { name: find_note }]
    longLived: true
    secrets: [{ name: notes.key, env: NOTES_KEY }]
    env: [{ name: URL, value: "{{notes.url}}" }]
    volumes: ["{{notes.paths|volume|into}}"]
    config:
      - properties:
          url: { type: string, default: "https://example.com", description: "Where they are" }
          paths: { type: array, items: { type: string } }
          count: { type: integer, example: 5 }
          group: { type: object, properties: { inner: { type: boolean } } }
        required: [paths]
`,
  "catalog.yaml",
);
const find = (query: string) => searchEntries(entries, query).map(({ entry }) => entry.name);

test("the name of an entry counts more than a word of its description", () => {
  assert.deepEqual(find("github"), ["github", "notes"]);
});

test("entries are found by the names of their tools, and by the beginning of a word", () => {
  assert.deepEqual(find("find_note"), ["notes"]);
  assert.deepEqual(find("GITL"), ["gitlab"]);
});

test("each word counts, a rare one more", () => {
  assert.deepEqual(find("merge requests")[0], "gitlab");
  assert.deepEqual(find("nothing of the kind zzz"), []);
  assert.deepEqual(find("—"), []);
});

test("the sheet of an entry says what it would run, and what it does not say", () => {
  const [, , notes] = entries;
  assert.ok(notes);
  assert.deepEqual(sheetOf(notes).map(({ what, text }) => `${what}: ${text}`), [
    "title: notes",
    "about: Notes that are kept beside GitHub issues",
    "from: catalog.yaml",
    "runs: image:ada/notes",
    "variables: URL = {{notes.url}}",
    "secrets: NOTES_KEY from store:notes.key",
    "config: url: text; default https://example.com; Where they are",
    ": paths: a list of texts; required",
    ": count: a whole number",
    ": group.inner: true or false",
    "volumes: {{notes.paths|volume|into}}",
    "network: none: the entry does not say what it needs, name it under network",
    "lifetime: client: keeps a state for each client",
    "tools: add_note",
    ": find_note",
  ]);
  assert.deepEqual(snippetOf(notes), [
    "servers:",
    "  notes:",
    "    source: docker:notes",
    "    config:",
    '      # url: "https://example.com"',
    "      paths: []",
    "      # count: 5",
    "      # group:",
    "        # inner: true",
    "    # secrets:",
    "    #   NOTES_KEY: store:notes.key",
    "    # network: [api.example.com:443]",
    "    tools: { allow: [] }",
  ]);
});
