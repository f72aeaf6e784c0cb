/** What a task body hands over: the parts of its output object and what it took to make it. */
export interface TaskOutput {
  readonly parts: readonly Uint8Array[];
  readonly bytesRead: number;
  readonly nonzeros: number;
  readonly fits: number;
  readonly warnings: readonly string[];
}
