import type { YAMLError } from "yaml";

/** Said of text that would need more stack than there is. */
export const TOO_DEEP = "nested too deeply, a configuration needs four levels";

/**
 * What is wrong with the YAML, and what helps. In our words: those of the parser may repeat text of the
 * file, which may be private.
 */
export function describeSyntaxError({ code, message }: YAMLError): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab indents this line, use spaces";
    case "BAD_INDENT":
      if (message.startsWith("Flow")) {
        return "the ] or } that closes a list or map is missing, or not indented, before here";
      }
      return "wrong indentation, begin the lines of one block in the same column";
    case "MULTIPLE_DOCS":
      return "a second document begins here, keep one";
    case "MISSING_CHAR":
      return message.includes("quote")
        ? "a closing quote is missing before here, add it"
        : "a character is missing before here, close what was opened";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return "a key over several lines, write name: value on one line";
    case "BAD_SCALAR_START":
      return "text that cannot begin like this, put it in quotes";
    case "BAD_DQ_ESCAPE":
      return "an unknown escape after a backslash, use single quotes or double the backslash";
    case "BAD_ALIAS":
      return "an alias that cannot be read, put text that begins with * in quotes";
    case "TAG_RESOLVE_FAILED":
      return "an unknown tag, put text that begins with ! in quotes";
    case "RESOURCE_EXHAUSTION":
      return TOO_DEEP;
    default:
      return `not YAML here (${code}), correct or quote it`;
  }
}
