import type { OpenOverflow, OverflowFile } from './overflow-file.js';

/** Stands in for temporary files: bytes in memory, and which of them are open. */
export class MemoryOverflow {
  /** Bytes that were written to all files. */
  written = 0;
  /** Called at every access. */
  onAccess: () => void = () => undefined;
  private readonly files = new Set<OverflowFile>();

  get openFiles(): number {
    return this.files.size;
  }

  readonly open: OpenOverflow = () => {
    let content = new Uint8Array(0);
    const file: OverflowFile = {
      write: (bytes, position) => {
        this.onAccess();
        this.written += bytes.length;
        if (position + bytes.length > content.length) {
          const longer = new Uint8Array(2 * (position + bytes.length));
          longer.set(content);
          content = longer;
        }
        content.set(bytes, position);
      },
      read: (into, position) => {
        this.onAccess();
        into.set(content.subarray(position, position + into.length));
      },
      close: () => this.files.delete(file),
    };
    this.files.add(file);
    return file;
  };
}
