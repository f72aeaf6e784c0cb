/**
 * Who may import whom, written once; `rooms.test.ts` holds it against the code.
 *
 * A room is a package's `src/<folder>`, with everything below it; the files directly in `src` (a package's entries) are a room
 * of the package's own name. `proto` is one room.
 */
export interface Room {
  /** Rooms of other rows this room may import, by their public entry. A room may always import itself. */
  readonly mayImport: readonly string[];
  /** Node modules it may use; null: any. What is pure names none. */
  readonly node: readonly string[] | null;
}

/** Every room of `shared`: what an application layer may use. */
const SHARED = [
  'shared/errors',
  'shared/ids',
  'shared/config',
  'shared/telemetry',
  'shared/rpc',
  'shared/kernels',
  'shared/stats',
  'shared/matrix',
  'shared/storage',
  'shared/h5ad',
  'shared/artifacts',
] as const;

/** Rooms whose import performs no I/O: what a pure domain may use. `artifacts` counts for its types and its codec. */
const SHARED_WITHOUT_IO = [
  'shared/errors',
  'shared/ids',
  'shared/config',
  'shared/kernels',
  'shared/stats',
  'shared/matrix',
  'shared/artifacts',
] as const;

const COORDINATOR_OUTSIDE = ['coordinator', 'coordinator/adapters', 'coordinator/cli', 'coordinator/web'] as const;
const WORKER_OUTSIDE = ['worker', 'worker/tasks', 'worker/pool', 'worker/adapters'] as const;

const outside = (rooms: readonly string[], domain: string): Record<string, Room> =>
  Object.fromEntries(rooms.map((room) => [room, { mayImport: [...rooms, domain, ...SHARED, 'proto'], node: null }]));

/** A room that is not listed here may not exist. Errors are the common vocabulary: every room of `shared` may raise them. */
export const ROOMS: Readonly<Record<string, Room>> = {
  proto: { mayImport: [], node: [] },
  'shared/errors': { mayImport: [], node: [] },
  'shared/ids': { mayImport: ['shared/errors'], node: ['node:crypto'] },
  'shared/config': { mayImport: ['shared/errors', 'shared/ids'], node: null },
  'shared/telemetry': { mayImport: ['shared/errors', 'shared/ids'], node: null },
  // Parameters and tasks have a wire form, and it is written here.
  'shared/rpc': {
    mayImport: ['shared/errors', 'shared/ids', 'shared/config', 'shared/artifacts', 'proto'],
    node: null,
  },
  // Node's file system for one purpose: loading the compiled module that lies in the package.
  'shared/kernels': { mayImport: ['shared/errors'], node: ['node:fs'] },
  'shared/stats': { mayImport: ['shared/kernels', 'shared/errors'], node: [] },
  'shared/matrix': { mayImport: ['shared/errors'], node: [] },
  'shared/storage': { mayImport: ['shared/matrix', 'shared/errors'], node: null },
  'shared/h5ad': { mayImport: ['shared/storage', 'shared/matrix', 'shared/errors'], node: null },
  // Checksums of scratch objects; the objects themselves are read through storage.
  'shared/artifacts': {
    mayImport: ['shared/storage', 'shared/errors', 'shared/config', 'shared/matrix'],
    node: ['node:zlib', 'node:crypto'],
  },
  'coordinator/domain': { mayImport: SHARED_WITHOUT_IO, node: [] },
  ...outside(COORDINATOR_OUTSIDE, 'coordinator/domain'),
  'worker/domain': { mayImport: SHARED_WITHOUT_IO, node: [] },
  ...outside(WORKER_OUTSIDE, 'worker/domain'),
};

/** What the client fixed for the top level. */
export const TOP_LEVEL_PRODUCT = [
  'proto',
  'coordinator',
  'worker',
  'shared',
  'deploy',
  'helm',
  'test',
  'package.json',
  'tsconfig.base.json',
  'README.md',
] as const;

/** What tools and readers look for at the top level: tool configuration, the lock file, licence, changelog, documents. */
export const TOP_LEVEL_AROUND = [
  '.ci',
  '.editorconfig',
  '.gitignore',
  '.dockerignore',
  '.nvmrc',
  '.prettierignore',
  '.prettierrc.json',
  'CHANGELOG.md',
  'LICENSE',
  'docs',
  'eslint.config.js',
  'package-lock.json',
  'tsconfig.json',
  'vitest.config.ts',
] as const;
