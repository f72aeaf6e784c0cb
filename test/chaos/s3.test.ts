import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startS3Server, type FaultKind, type S3TestServer } from '../support/s3-server.js';
import { shardex } from '../support/shardex.js';
import { FaultBench, FILES } from './fault-bench.js';
import { MARK, markedProcesses } from './leaks.js';

const STRIKES = 12;

describe('S3 that fails at every seventh request', () => {
  let bench: FaultBench;
  let server: S3TestServer;
  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  afterAll(() => bench.close());
  beforeEach(async () => {
    server = await startS3Server(['in', 'out', 'scratch']);
    server.objects.put('in', 'screen.h5ad', await readFile(bench.screen));
  });
  afterEach(() => server.close());

  const KINDS: FaultKind[] = ['internal-error', 'slow-down', 'reset', 'lost-answer', 'truncate', 'stall', 'wait'];

  it.each(KINDS)('by %s', async (kind) => {
    let count = 0;
    const struck = server.inject({
      kind,
      times: STRIKES,
      // Nothing can be cut out of the answer to HEAD, and the second try of the last write would find its own first one.
      matches: ({ method, key }) => method !== 'HEAD' && key !== 'run/run.json' && ++count % 7 === 0,
    });
    const places = ['s3://in/screen.h5ad', '--out', 's3://out/run', '--scratch', 's3://scratch/x'];
    const outcome = await shardex(['de', ...places, '--workers', '2', '--quiet'], {
      ...server.environment,
      [MARK]: bench.mark,
      TMPDIR: bench.temporary,
      SHARDEX_S3_TIMEOUT_SECONDS: '2',
    });
    expect(outcome.stderr).toBe('');
    expect(outcome.exitCode).toBe(0);
    expect(struck()).toBe(STRIKES);
    const sums = FILES.map((file) => {
      const { bytes } = server.objects.get('out', `run/${file}`);
      return [file, createHash('sha256').update(bytes).digest('hex')];
    });
    expect(Object.fromEntries(sums)).toEqual(bench.expected);
    process.stderr.write(`chaos: S3, ${STRIKES} times ${kind}: survived, ${bench.bytes} bytes are the same\n`);
    expect([...server.objects.bucket('scratch').keys()]).toEqual([]);
    expect(server.objects.uploads.size).toBe(0);
    expect(await readdir(bench.temporary)).toEqual([]);
    expect(markedProcesses(bench.mark)).toEqual([]);
  });
});
