/** A tool that is one run of a container: its arguments become a command, its output is the result. */
export interface CommandTool {
  readonly name: string;
  readonly description: string;
  /** JSON text of the tool's input schema, of type object. */
  readonly inputSchema: string;
  /** Image reference. */
  readonly image: string;
  /** Arguments of the container with templates of Docker's catalog over the call's arguments. */
  readonly command: readonly string[];
  /** Volumes with such templates. */
  readonly volumes: readonly string[];
  readonly user?: string;
}
