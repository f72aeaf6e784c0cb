import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own, in memory, that can be filled up. */
export interface SmallDisk {
  readonly folder: string;
  /** Writes until there is no room; @returns how many bytes that took */
  fill(): number;
  free(): void;
  remove(): void;
}

/** Why there can be no small disk here; null when there can. */
export function reasonWithoutDisk(): string | null {
  try {
    makeSmallDisk(1).remove();
    return null;
  } catch (error) {
    return `a tmpfs cannot be mounted here: ${(error as Error).message.split('\n')[0]}`;
  }
}

export function makeSmallDisk(mebibytes: number): SmallDisk {
  const mount = mkdtempSync(join(tmpdir(), 'shardex-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', mount], { stdio: 'pipe' });
  } catch (error) {
    rmSync(mount, { recursive: true });
    throw error;
  }
  const folder = join(mount, 'here');
  mkdirSync(folder);
  const filler = join(mount, 'filler');
  return {
    folder,
    fill() {
      const file = openSync(filler, 'a');
      let bytes = 0;
      try {
        for (const piece of [1 << 16, 1 << 12, 1]) bytes += writeWhileRoom(file, Buffer.alloc(piece));
      } finally {
        closeSync(file);
      }
      return bytes;
    },
    free: () => rmSync(filler, { force: true }),
    remove() {
      execFileSync('umount', ['-l', mount], { stdio: 'pipe' });
      rmSync(mount, { recursive: true });
    },
  };
}

function writeWhileRoom(file: number, piece: Buffer): number {
  for (let bytes = 0; ;) {
    try {
      bytes += writeSync(file, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return bytes;
      throw error;
    }
  }
}
