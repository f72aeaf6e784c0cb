import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startS3Server, TEST_CREDENTIALS, type S3TestServer } from '../support/s3-server.js';
import { describeWithPeers, runPeerScript } from '../support/peers.js';
import { describeWithPart } from '../support/required-part.js';
import { hashes, LAUNCHER, shardex, simulatedScreen, withFolder, type CliOutcome } from '../support/shardex.js';
import { startVersitygw, versitygwBinary } from '../support/versitygw.js';

const FILES = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
interface RunRecord {
  readonly stages: readonly { readonly name: string; readonly tasks: number; readonly tasks_resumed: number }[];
}

const DE = ['de', 's3://in/screens/screen.h5ad', '--out', 's3://out/run'];

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The screen of `simulatedScreen`, on S3. */
const simulate = (uri: string, environment: Readonly<Record<string, string>>): Promise<CliOutcome> => {
  const sizes = ['--cells', '1500', '--genes', '300', '--perturbations', '12', '--depth', '600', '--seed', '7'];
  return shardex(['simulate', uri, ...sizes, '--quiet'], environment);
};

describe('a run on S3', () => {
  let folder: string;
  let screen: Buffer;
  let expected: Record<string, string>;
  let server: S3TestServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-s3-test-'));
    const path = await simulatedScreen(folder);
    screen = await readFile(path);
    const local = await shardex(['de', path, '--out', join(folder, 'local'), '--workers', '1', '--quiet']);
    expect(local.stderr).toBe('');
    const contents = FILES.map(async (file) => [file, sha256(await readFile(join(folder, 'local', file)))] as const);
    expected = Object.fromEntries(await Promise.all(contents));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    server = await startS3Server(['in', 'out', 'scratch']);
    server.objects.put('in', 'screens/screen.h5ad', screen);
  });
  afterEach(() => server.close());

  const run = (args: readonly string[], settings: Record<string, string> = {}): Promise<CliOutcome> =>
    shardex(args, { ...server.environment, TMPDIR: folder, ...settings });
  const de = (more: readonly string[] = [], settings: Record<string, string> = {}): Promise<CliOutcome> =>
    run([...DE, '--workers', '1', '--quiet', ...more], settings);
  const keysOf = (bucket: string): string[] => [...server.objects.bucket(bucket).keys()].sort();
  const resultHashes = (): Record<string, string> =>
    Object.fromEntries(FILES.map((file) => [file, sha256(server.objects.get('out', `run/${file}`).bytes)]));
  const withoutSecrets = ({ stdout, stderr }: CliOutcome): void => {
    for (const secret of [TEST_CREDENTIALS.accessKeyId, TEST_CREDENTIALS.secretAccessKey]) {
      expect(stdout + stderr).not.toContain(secret);
    }
  };

  it('gives the bytes of a local run, and leaves nothing else behind', async () => {
    const before = await readdir(folder);
    const outcome = await de(['--workers', '2', '--scratch', 's3://scratch/x']);
    expect(outcome.stderr).toBe('');
    expect(outcome.exitCode).toBe(0);
    expect(resultHashes()).toEqual(expected);
    expect(keysOf('out')).toEqual([...FILES, 'run.json'].map((name) => `run/${name}`).sort());
    expect(keysOf('scratch')).toEqual([]);
    expect(server.objects.uploads.size).toBe(0);
    expect(await readdir(folder)).toEqual(before);
    const ranged = server.seen.filter(({ method, bucket }) => method === 'GET' && bucket === 'in');
    expect(ranged.every(({ headers }) => headers.range !== undefined)).toBe(true);
    // Everything after the first look asks for the object that was looked at.
    expect(ranged.some(({ headers }) => headers['if-match'] !== undefined)).toBe(true);
    const record = server.seen.filter(({ key, method }) => key === 'run/run.json' && method === 'PUT');
    expect(record.map(({ headers }) => headers['if-none-match'])).toEqual(['*']);
  });

  it('is read back by results, inspect and plan, and refused a second time', async () => {
    expect((await de()).exitCode).toBe(0);
    expect(keysOf('out'), 'scratch was within the output').toHaveLength(FILES.length + 1);
    const top3 = ['--test', 'wilcoxon', '--top', '3', '--format', 'csv'];
    const remote = await run(['results', 's3://out/run', ...top3]);
    expect(remote.stderr).toBe('');
    expect(remote.stdout).toBe((await run(['results', join(folder, 'local'), ...top3])).stdout);
    const inspected = JSON.parse((await run(['inspect', 's3://in/screens/screen.h5ad', '--json'])).stdout) as object;
    const local = JSON.parse((await run(['inspect', join(folder, 'screen.h5ad'), '--json'])).stdout) as object;
    expect(inspected).toEqual({ ...local, path: 's3://in/screens/screen.h5ad' });
    const planned = await run(['plan', 's3://in/screens/screen.h5ad', '--out', 's3://out/run', '--json']);
    const { outputs } = JSON.parse(planned.stdout) as { outputs: { path: string; exists: boolean }[] };
    expect(outputs).toContainEqual(expect.objectContaining({ path: 's3://out/run/nb_glm.h5ad', exists: true }));
    const again = await de();
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain('s3://out/run already holds results');
    const forced = await de(['--force', '--tests', 'wilcoxon']);
    expect(forced.stderr).toBe('');
    expect(keysOf('out')).toEqual(['run/cells.parquet', 'run/run.json', 'run/wilcoxon.h5ad']);
  });

  it('is refused to a second run while the first goes on, which is named', async () => {
    const child = spawn(process.execPath, [LAUNCHER, ...DE, '--workers', '1', '--quiet'], {
      env: { ...process.env, ...server.environment, TMPDIR: folder },
      stdio: 'ignore',
    });
    const exited = once(child, 'exit');
    try {
      // Its scratch is there only once it holds the prefix.
      await expect.poll(() => keysOf('out').some((key) => key.includes('/scan/')), { timeout: 60_000 }).toBe(true);
      child.kill('SIGSTOP');
      for (const more of [[], ['--force'], ['--resume']]) {
        const second = await de(more);
        expect(second.exitCode).toBe(2);
        expect(second.stderr).toContain(`another run is writing to s3://out/run: process ${child.pid} on `);
      }
      child.kill('SIGCONT');
      expect(await exited).toEqual([0, null]);
      expect(resultHashes()).toEqual(expected);
      expect(keysOf('out')).toEqual([...FILES, 'run.json'].map((name) => `run/${name}`).sort());
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('outlives answers that are cut short', async () => {
    const kind = 'truncate';
    // Every seventh request, until it has struck often enough.
    let count = 0;
    const struck = server.inject({ kind, times: 12, matches: ({ method }) => method !== 'HEAD' && ++count % 7 === 0 });
    const outcome = await de(['--scratch', 's3://scratch/x']);
    expect(outcome.stderr).toBe('');
    expect(outcome.exitCode).toBe(0);
    expect(struck()).toBe(12);
    expect(resultHashes()).toEqual(expected);
    expect(keysOf('scratch')).toEqual([]);
    expect(server.objects.uploads.size).toBe(0);
  });

  it('names an object that changes under it', async () => {
    let isChanged = false;
    server.inject({
      kind: 'reset',
      times: 1,
      matches: ({ bucket, key }) => {
        // What the planning found out is written down: from here on the file is read again by others.
        if (!isChanged && bucket === 'scratch' && key.endsWith('context.bundle')) {
          isChanged = true;
          const changed = Buffer.from(screen);
          changed[changed.length - 1] ^= 1;
          server.objects.put('in', 'screens/screen.h5ad', changed);
        }
        return false;
      },
    });
    const outcome = await de(['--scratch', 's3://scratch/x']);
    expect(isChanged).toBe(true);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('s3://in/screens/screen.h5ad changed while the job was running');
    expect(keysOf('out')).toEqual([]);
    withoutSecrets(outcome);
  });

  it('leaves no parts when the upload of its results fails, and goes on with --resume', async () => {
    const struck = server.inject({
      kind: 'internal-error',
      times: 1000,
      matches: ({ method, bucket, key }) => method === 'PUT' && bucket === 'out' && key === 'run/cells.parquet',
    });
    const outcome = await withFewTries();
    expect(struck()).toBeGreaterThan(0);
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain('500 InternalError');
    expect(keysOf('out')).not.toContain('run/run.json');
    expect(server.objects.uploads.size).toBe(0);
    withoutSecrets(outcome);
    server.heal();
    const resumed = await withFewTries('--resume');
    expect(resumed.stderr).toBe('');
    expect(resultHashes()).toEqual(expected);
    const { stages } = JSON.parse(server.objects.get('out', 'run/run.json').bytes.toString()) as RunRecord;
    const scan = stages.find(({ name }) => name === 'scan');
    expect(scan?.tasks_resumed).toBe(scan?.tasks);
    expect(keysOf('scratch')).toEqual([]);
  });
  const withFewTries = (...more: string[]): Promise<CliOutcome> =>
    de(['--scratch', 's3://scratch/x', ...more], { AWS_MAX_ATTEMPTS: '2' });

  it('is what loads the SDK, a local one never does', async () => {
    const modulesOf = async (name: string, args: readonly string[]): Promise<string> => {
      const outcome = await run(args, { NODE_V8_COVERAGE: join(folder, name) });
      expect(outcome.stderr).toBe('');
      const files = await readdir(join(folder, name));
      return (await Promise.all(files.map((file) => readFile(join(folder, name, file), 'utf8')))).join('');
    };
    const own = join(folder, 'own');
    const local = await modulesOf('local-modules', ['de', join(folder, 'screen.h5ad'), '--out', own, '--quiet']);
    // Ours, be it the bundle or what tsc built. Comparing whole texts would print megabytes.
    expect(local.includes('/coordinator/dist/')).toBe(true);
    expect(local.includes('/@aws-sdk/')).toBe(false);
    const remote = await modulesOf('remote-modules', ['inspect', 's3://in/screens/screen.h5ad']);
    expect(remote.includes('/@aws-sdk/')).toBe(true);
  });

  it('says what is wrong with names and rights', async () => {
    const absent = await run(['inspect', 's3://in/none.h5ad']);
    expect(absent.exitCode).toBe(2);
    expect(absent.stderr).toContain('reading s3://in/none.h5ad: no such object');
    const bucket = await run(['de', 's3://in/screens/screen.h5ad', '--out', 's3://nowhere/run', '--quiet']);
    expect(bucket.exitCode).toBe(2);
    expect(bucket.stderr).toContain('no such bucket');
    const denied = await run(['inspect', 's3://in/screens/screen.h5ad'], {
      AWS_SECRET_ACCESS_KEY: 'wrong',
      SHARDEX_DEBUG: '1',
    });
    expect(denied.exitCode).toBe(2);
    expect(denied.stderr).toContain('access denied (403 SignatureDoesNotMatch)');
    withoutSecrets(denied);
  });

  it('simulates into a bucket what it simulates into a folder', async () => {
    const outcome = await simulate('s3://in/new.h5ad', server.environment);
    expect(outcome.stderr).toBe('');
    expect(server.objects.get('in', 'new.h5ad').bytes.equals(screen)).toBe(true);
  });
});

describeWithPart({
  part: 's3',
  name: 'a run on a real S3 gateway',
  probe: versitygwBinary,
  reason: 'SHARDEX_VERSITYGW names no versitygw binary (go install github.com/versity/versitygw/cmd/versitygw@latest)',
  body: (binary) => {
    it('gives the bytes of a local run', () =>
      withFolder(async (folder) => {
        const screen = await simulatedScreen(folder);
        const local = join(folder, 'local');
        expect((await shardex(['de', screen, '--out', local, '--workers', '1', '--quiet'])).stderr).toBe('');
        const gateway = await startVersitygw(binary, ['lab']);
        try {
          expect((await simulate('s3://lab/screen.h5ad', gateway.environment)).stderr).toBe('');
          const places = ['s3://lab/screen.h5ad', '--out', 's3://lab/run', '--scratch', 's3://lab/scratch'];
          const outcome = await shardex(['de', ...places, '--workers', '2', '--quiet'], gateway.environment);
          expect(outcome.stderr).toBe('');
          const remote = join(gateway.data, 'lab', 'run');
          expect(await hashes(remote, FILES)).toEqual(await hashes(local, FILES));
          expect((await readdir(remote)).sort()).toEqual([...FILES, 'run.json'].sort());
        } finally {
          await gateway.close();
        }
      }));
  },
});

const WRITE_ZSTD = `
import sys, anndata, hdf5plugin
anndata.read_h5ad(sys.argv[1]).write_h5ad(sys.argv[2], compression=hdf5plugin.Zstd())
print("null")
`;

describeWithPeers('a file on S3 in a compression that only the HDF5 library reads', (python) => {
  it('is read like a local one', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'zstd.h5ad');
      await runPeerScript(python, WRITE_ZSTD, [await simulatedScreen(folder), path]);
      const server = await startS3Server(['in']);
      try {
        server.objects.put('in', 'zstd.h5ad', await readFile(path));
        const remote = await shardex(['inspect', 's3://in/zstd.h5ad', '--json'], server.environment);
        expect(remote.stderr).toBe('');
        const local = JSON.parse((await shardex(['inspect', path, '--json'])).stdout) as object;
        expect(JSON.parse(remote.stdout)).toEqual({ ...local, path: 's3://in/zstd.h5ad' });
        expect(remote.stdout).toContain('"zstd"');
      } finally {
        await server.close();
      }
    }));
});
