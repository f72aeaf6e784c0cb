import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Suites that take minutes: each has its own command, `npm run test:<name>`, and its own part of `.ci/run`. */
const LONG = ['chaos', 'fuzz', 'production'];
/** Of `production`, but with a command of its own: what it needs is built while the others run. */
const KUBERNETES = 'test/production/kubernetes.test.ts';
const LONG_TEST_TIMEOUT_MS = 300_000;

/** Tests read the sources, not the build, so that a red test needs no compile step to turn green. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@shardex\/shared\/(.+)$/, replacement: path('./shared/src/') + '$1/index.ts' },
      { find: /^@shardex\/proto$/, replacement: path('./proto/src/index.ts') },
      { find: /^@shardex\/coordinator\/domain$/, replacement: path('./coordinator/src/domain/index.ts') },
      { find: /^@shardex\/worker\/tasks$/, replacement: path('./worker/src/tasks/index.ts') },
    ],
  },
  test: {
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // What is waited for comes when a process or a page gets to it; the default of one second is a test of the machine.
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'default',
          include: ['{proto,shared,coordinator,worker}/src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...LONG.map((name) => `test/${name}/**`)],
        },
      },
      ...LONG.map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          exclude: ['**/node_modules/**', KUBERNETES],
          testTimeout: LONG_TEST_TIMEOUT_MS,
        },
      })),
      {
        extends: true as const,
        test: { name: 'kubernetes', include: [KUBERNETES], testTimeout: LONG_TEST_TIMEOUT_MS },
      },
    ],
  },
});
