import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own whose power can be cut: what had not been synced is lost, as on a machine that goes dark. */
export interface PowerCutDisk {
  readonly folder: string;
  /** From now on nothing reaches the disk; what is in the cache may still be read. */
  cut(): void;
  /** Mounts what is left, as a machine does that starts again; nobody may have a file open. */
  restore(): void;
  remove(): void;
}

/** ext4's EXT4_IOC_SHUTDOWN, as XFS and F2FS have it too, and its flag that leaves the journal unflushed. */
const SHUTDOWN = '0x8004587d';
const NO_LOG_FLUSH = '2';
/** Node has no ioctl; every Debian has Perl. */
const IOCTL = 'open(D, "<", $ARGV[0]) or die $!; ioctl(D, hex $ARGV[1], my $flag = pack("L", $ARGV[2])) or die $!';

const MEBIBYTES = 96;

/** Why there can be no such disk here; null when there can. */
export function reasonWithoutPowerCuts(): string | null {
  try {
    const disk = makePowerCutDisk();
    try {
      disk.cut();
      disk.restore();
    } finally {
      disk.remove();
    }
    return null;
  } catch (error) {
    return `an ext4 in a file cannot be mounted and shut down here: ${(error as Error).message.split('\n')[0]}`;
  }
}

export function makePowerCutDisk(): PowerCutDisk {
  const place = mkdtempSync(join(tmpdir(), 'shardex-power-'));
  const [image, mount] = [join(place, 'image'), join(place, 'mount')];
  const run = (program: string, ...args: string[]): void => void execFileSync(program, args, { stdio: 'pipe' });
  const folder = join(mount, 'here');
  mkdirSync(mount);
  writeFileSync(image, '');
  truncateSync(image, MEBIBYTES * 2 ** 20);
  try {
    run('mkfs.ext4', '-q', '-F', image);
    run('mount', '-o', 'loop', image, mount);
  } catch (error) {
    rmSync(place, { recursive: true });
    throw error;
  }
  mkdirSync(folder);
  run('sync', '-f', folder);
  return {
    folder,
    cut: () => run('perl', '-e', IOCTL, mount, SHUTDOWN, NO_LOG_FLUSH),
    restore() {
      run('umount', mount);
      run('mount', '-o', 'loop', image, mount);
    },
    remove() {
      run('umount', '-l', mount);
      rmSync(place, { recursive: true });
    },
  };
}
