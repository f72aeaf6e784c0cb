import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOMS } from './rooms.js';
import { PACKAGES, isTest, readPackageSources, readSources, repositoryRoot, roomOf, targetOf } from './source-files.js';
import type { ImportedModule, SourceFile } from './source-files.js';
import { findCycles } from './find-cycles.js';

const sources = readPackageSources();
const products = sources.filter(({ path }) => !isTest(path));
const tests = [...sources.filter(({ path }) => isTest(path)), ...readSources('test')];

/** One line a violation, so that the failure lists them all. */
const violations = (
  files: readonly SourceFile[],
  judge: (file: SourceFile, imported: ImportedModule) => string | null,
): string[] =>
  files.flatMap((file) =>
    file.imports.flatMap((imported) => {
      const verdict = judge(file, imported);
      return verdict === null ? [] : [`${file.path}:${imported.line} ${verdict}`];
    }),
  );

const isIndex = (path: string): boolean => path.endsWith('/index.ts');

describe('the rooms', () => {
  it('are those of the table', () => {
    const found = new Set(products.map(({ path }) => roomOf(path) ?? path));
    expect([...found].filter((room) => !(room in ROOMS))).toEqual([]);
  });

  it('import only the rooms that the table allows', () => {
    const judge = ({ path }: SourceFile, { specifier }: ImportedModule): string | null => {
      const room = roomOf(path) ?? path;
      const target = targetOf(path, specifier);
      const other =
        target.kind === 'file' ? (roomOf(target.path) ?? target.path) : target.kind === 'entry' ? target.room : room;
      return other === room || ROOMS[room]?.mayImport.includes(other) ? null : `${room} may not import ${other}`;
    };
    expect(violations(products, judge)).toEqual([]);
  });

  it('use only the Node modules that the table allows', () => {
    const judge = ({ path }: SourceFile, { specifier }: ImportedModule): string | null => {
      const room = roomOf(path) ?? path;
      const target = targetOf(path, specifier);
      const allowed = ROOMS[room]?.node ?? null;
      return target.kind !== 'node' || allowed === null || allowed.includes(target.name)
        ? null
        : `${room} is to be pure but uses ${target.name}`;
    };
    expect(violations(products, judge)).toEqual([]);
  });
});

describe('imports', () => {
  it('enter another room of the same package by its index', () => {
    const judge = ({ path }: SourceFile, { specifier }: ImportedModule): string | null => {
      const target = targetOf(path, specifier);
      if (target.kind !== 'file' || roomOf(target.path) === roomOf(path) || isIndex(target.path)) return null;
      if (isTest(path) && (target.path.startsWith('test/') || isTest(target.path))) return null;
      return `reaches past the index of ${roomOf(target.path) ?? target.path}: ${specifier}`;
    };
    expect(violations(sources, judge)).toEqual([]);
  });

  it('enter another package by a public entry, never by a path', () => {
    const judge = ({ path }: SourceFile, { specifier }: ImportedModule): string | null => {
      const target = targetOf(path, specifier);
      if (target.kind === 'deep') return `${specifier} is not a public entry`;
      if (target.kind !== 'file' || target.path.split('/')[0] === path.split('/')[0]) return null;
      return target.path.startsWith('test/') && isTest(path) ? null : `leaves its package by ${specifier}`;
    };
    expect(violations([...products, ...tests], judge)).toEqual([]);
  });

  it('of the product reach no test and no test double', () => {
    const judge = ({ path }: SourceFile, { specifier }: ImportedModule): string | null => {
      const target = targetOf(path, specifier);
      return target.kind === 'file' && isTest(target.path) ? `imports ${specifier}, which only tests may` : null;
    };
    expect(violations(products, judge)).toEqual([]);
  });

  it('name npm packages that the package itself declares', () => {
    const judge = ({ path }: SourceFile, { specifier }: ImportedModule): string | null => {
      const target = targetOf(path, specifier);
      if (target.kind !== 'npm') return null;
      const name = path.split('/')[0] ?? '';
      return declared(name).includes(target.name) ? null : `${target.name} is not a dependency of ${name}`;
    };
    expect(violations(products, judge)).toEqual([]);
  });

  it('form no cycle', () => {
    const known = new Set(products.map(({ path }) => path));
    const edges = new Map(
      products.map(({ path, imports }) => [
        path,
        imports.flatMap(({ specifier }) => {
          const target = targetOf(path, specifier);
          return (target.kind === 'file' || target.kind === 'entry') && known.has(target.path) ? [target.path] : [];
        }),
      ]),
    );
    expect(findCycles(edges).map((cycle) => cycle.join(' → '))).toEqual([]);
  });
});

describe('declared npm packages', () => {
  it.each(PACKAGES)('of %s are all used', (name) => {
    const own = sources.filter(({ path }) => path.startsWith(`${name}/`));
    // Imported, or named to a resolver that looks for the package's files.
    const isUsed = (dependency: string): boolean =>
      own.some(({ path, text, imports }) => {
        const targets = imports.map(({ specifier }) => targetOf(path, specifier));
        return targets.some((to) => to.kind === 'npm' && to.name === dependency) || text.includes(`'${dependency}'`);
      });
    expect(declared(name).filter((dependency) => !dependency.startsWith('@shardex/') && !isUsed(dependency))).toEqual(
      [],
    );
  });
});

function declared(name: string): string[] {
  const manifest = JSON.parse(readFileSync(join(repositoryRoot, name, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  return Object.keys(manifest.dependencies ?? {});
}
