import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from './source-files.js';

interface LockedPackage {
  readonly integrity?: string;
  readonly resolved?: string;
  /** A folder of this repository. */
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

const { packages } = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const installed = Object.entries(packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);
const pathsOf = (wanted: (locked: LockedPackage) => boolean): string[] =>
  installed.filter(([, locked]) => wanted(locked)).map(([path]) => path);

describe('package-lock.json', () => {
  it('says what every package must be, to the bit', () => {
    expect(installed.length).toBeGreaterThan(400);
    expect(pathsOf(({ integrity }) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''))).toEqual([]);
  });

  it('takes packages from the registry only', () => {
    const isElsewhere = ({ resolved = 'https://registry.npmjs.org/' }: LockedPackage): boolean =>
      !resolved.startsWith('https://registry.npmjs.org/');
    expect(pathsOf(isElsewhere)).toEqual([]);
  });

  it('lets one package that users install run a script of its own, which only prints', () => {
    expect(pathsOf(({ hasInstallScript, dev }) => hasInstallScript === true && dev !== true)).toEqual([
      'node_modules/protobufjs',
    ]);
  });
});
