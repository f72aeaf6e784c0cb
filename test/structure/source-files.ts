import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const repositoryRoot = fileURLToPath(new URL('../../', import.meta.url));

export const PACKAGES = ['proto', 'shared', 'coordinator', 'worker'] as const;

/** One TypeScript file of the repository. */
export interface SourceFile {
  /** Relative to the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly ImportedModule[];
}

export interface ImportedModule {
  readonly specifier: string;
  readonly line: number;
}

const GENERATED = /^proto\/src\/gen\//;

/** Tests, and the doubles they share, which stand in a folder `testing` or `fixtures` beside them. */
export const isTest = (path: string): boolean => path.endsWith('.test.ts') || /\/(testing|fixtures)\//.test(path);
export const isGenerated = (path: string): boolean => GENERATED.test(path);

const listFiles = (folder: string): string[] =>
  readdirSync(join(repositoryRoot, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(repositoryRoot, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/'))
    .sort();

const readSource = (path: string): SourceFile => {
  const text = readFileSync(join(repositoryRoot, path), 'utf8');
  const imports = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => ({
    specifier: fileName,
    line: text.slice(0, pos).split('\n').length,
  }));
  return { path, text, imports };
};

/** Every TypeScript source below one of our folders, tests included, sorted by path. */
export const readSources = (...folders: readonly string[]): SourceFile[] => folders.flatMap(listFiles).map(readSource);

/** The sources of the four packages. */
export const readPackageSources = (): SourceFile[] => readSources(...PACKAGES.map((name) => `${name}/src`));

/**
 * The room a file belongs to: `shared/stats` for `shared/src/stats/fit.ts`, `coordinator` for `coordinator/src/main.ts`;
 * null outside the packages.
 */
export const roomOf = (path: string): string | null => {
  const [name, source, folder, rest] = path.split('/');
  if (name === undefined || source !== 'src' || !(PACKAGES as readonly string[]).includes(name)) return null;
  return name === 'proto' || rest === undefined ? name : `${name}/${String(folder)}`;
};

/** Where an import leads. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'entry'; readonly path: string; readonly room: string }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'npm'; readonly name: string }
  /** A path into one of our packages that its `exports` do not list. */
  | { readonly kind: 'deep'; readonly specifier: string };

const exportsOf = (name: string): Record<string, { readonly default: string }> => {
  const manifest = readFileSync(join(repositoryRoot, name, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { exports?: Record<string, { default: string }> }).exports ?? {};
};

const entriesOf = (name: string): [string, string][] =>
  Object.entries(exportsOf(name)).map(([subpath, { default: built }]) => [
    posix.join(`@shardex/${name}`, subpath),
    posix.join(name, built).replace('/dist/', '/src/').replace(/\.js$/, '.ts'),
  ]);

/** Public entries of our packages: what an import says → the source it means, e.g. `@shardex/shared/ids`. */
export const PUBLIC_ENTRIES: ReadonlyMap<string, string> = new Map(PACKAGES.flatMap(entriesOf));

export const targetOf = (importer: string, specifier: string): Target => {
  if (specifier.startsWith('.')) {
    const path = posix.join(dirname(importer), specifier).replace(/\.js$/, '.ts');
    return { kind: 'file', path };
  }
  if (specifier.startsWith('node:')) return { kind: 'node', name: specifier };
  if (!specifier.startsWith('@shardex/')) {
    const parts = specifier.split('/');
    return { kind: 'npm', name: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/') };
  }
  const path = PUBLIC_ENTRIES.get(specifier);
  const room = path === undefined ? null : roomOf(path);
  return path === undefined || room === null ? { kind: 'deep', specifier } : { kind: 'entry', path, room };
};
