import { readFileSync } from 'node:fs';
import { toShardexError } from '../errors/index.js';

/**
 * A few small files that belong together, such as a certificate and its key, and are replaced while the process runs.
 * Contents are compared, not times: certificates mounted into a container change by a symbolic link.
 */
export class WatchedFiles<Name extends string> {
  #contents: Readonly<Record<Name, Buffer>>;

  /** @throws InvalidInputError when one cannot be read */
  constructor(readonly paths: Readonly<Record<Name, string>>) {
    this.#contents = this.#read();
  }

  get contents(): Readonly<Record<Name, Buffer>> {
    return this.#contents;
  }

  /**
   * Reads again.
   *
   * @returns whether something is different
   * @throws InvalidInputError when one cannot be read; `contents` stay as they were
   */
  refresh(): boolean {
    const fresh = this.#read();
    const isChanged = (Object.keys(fresh) as Name[]).some((name) => !fresh[name].equals(this.#contents[name]));
    if (isChanged) this.#contents = fresh;
    return isChanged;
  }

  #read(): Readonly<Record<Name, Buffer>> {
    const entries = Object.entries<string>(this.paths).map(([name, path]) => {
      try {
        return [name, readFileSync(path)] as const;
      } catch (error) {
        throw toShardexError(error, `reading ${path}`);
      }
    });
    return Object.fromEntries(entries) as Record<Name, Buffer>;
  }
}
