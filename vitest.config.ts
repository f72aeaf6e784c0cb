import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Tests read the sources, not the build, so that a red test needs no compile step to turn green. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@shardex\/shared\/(.+)$/, replacement: path('./shared/src/') + '$1/index.ts' },
      { find: /^@shardex\/proto$/, replacement: path('./proto/src/index.ts') },
      { find: /^@shardex\/worker\/tasks$/, replacement: path('./worker/src/tasks/index.ts') },
    ],
  },
  test: {
    include: ['{proto,shared,coordinator,worker}/src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
