import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.js';
import { shardex, simulatedScreen } from '../support/shardex.js';
import { writeSmallH5ad } from '../support/small-h5ad.js';
import { expectOneTree, named } from '../support/trace-tree.js';

const SECRET = 'open-sesame-4711';
const JSON_PROTOCOL = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };

let folder: string;
let input: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-traces-'));
  input = await simulatedScreen(folder);
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const run = (name: string, flags: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
  shardex(['de', input, '--out', join(folder, name), '--workers', '2', ...flags], environment);

async function withReceiver<Result>(
  body: (receiver: OtlpReceiver) => Promise<Result>,
  answers: 'at once' | 'never' = 'at once',
): Promise<Result> {
  const receiver = await startOtlpReceiver(answers);
  try {
    return await body(receiver);
  } finally {
    await receiver.close();
  }
}

describe('traces of a run on an embedded cluster', () => {
  it('are one tree: the job, its stages, the attempts at their tasks, and what workers did for each', async () => {
    await withReceiver(async ({ endpoint, spans, requests }) => {
      const outcome = await run('tree', ['--otlp-endpoint', endpoint], {
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${SECRET}`,
      });
      expect([outcome.exitCode, outcome.stderr]).toEqual([0, expect.not.stringContaining('could not be sent')]);
      await expectOneTree(spans, join(folder, 'tree'));

      // The secret reaches the collector, from every process, and nobody else.
      expect(
        requests.every(({ path, headers }) => path === '/v1/traces' && headers.authorization === `Bearer ${SECRET}`),
      ).toBe(true);
      expect(outcome.stderr + outcome.stdout).not.toContain(SECRET);
    });
  });

  it('record a failure with its tag, at the attempt, at what the worker did, and at the job', async () => {
    await withReceiver(async ({ endpoint, spans }) => {
      // Counts, but for the last value: beyond what planning looks at, and found when the scan comes to it.
      const bad = join(folder, 'bad.h5ad');
      const counts = Array.from({ length: 130_000 }, (_, cell) => [1, 2, (cell % 7) + 1, 4]);
      await writeSmallH5ad(bad, [...counts, [1, 2, 3, 4.5]], 4);
      const outcome = await shardex(
        ['de', bad, '--out', join(folder, 'failed'), '--workers', '1', '--otlp-endpoint', endpoint],
        JSON_PROTOCOL,
      );
      expect([outcome.exitCode, outcome.stderr]).toEqual([2, expect.stringContaining('4.5')]);
      const failed = spans.filter(({ status }) => status === 2);
      expect(new Set(failed.map(({ name }) => name.split(' ')[0]))).toEqual(new Set(['job', 'task', 'run']));
      for (const { attributes, events } of failed) {
        expect(attributes['error.type']).toBe('InvalidInput');
        const exception = events.find(({ name }) => name === 'exception');
        expect(exception?.attributes).toMatchObject({ 'exception.type': 'InvalidInput' });
      }
    });
  });

  it('go where the standard variables say, as protobuf unless they say otherwise', async () => {
    await withReceiver(async ({ endpoint, requests, spans }) => {
      const outcome = await run('environment', ['--tests', 't-test'], {
        OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/base/`,
        OTEL_SERVICE_NAME: 'screens',
      });
      expect(outcome.exitCode).toBe(0);
      expect(requests.length).toBeGreaterThanOrEqual(2);
      for (const { path, headers } of requests) {
        expect([path, headers['content-type']]).toEqual(['/base/v1/traces', 'application/x-protobuf']);
      }
      expect(new Set(spans.map(({ resource }) => resource['service.name']))).toEqual(new Set(['screens']));
      for (const name of ['job', 'stage scan', 'task scan', 'run scan']) expect(named(spans, name)).not.toEqual([]);
    });
  });

  it.each([
    ['takes no connections', 'refuses'],
    ['takes requests and never answers', 'never'],
  ] as const)('harm no job when the collector %s', async (_, how) => {
    await withReceiver(
      async (receiver) => {
        if (how === 'refuses') await receiver.close();
        const outcome = await run(how, ['--tests', 't-test', '--otlp-endpoint', receiver.endpoint], {
          OTEL_EXPORTER_OTLP_HEADERS: `api-key=${SECRET}`,
          OTEL_EXPORTER_OTLP_TIMEOUT: '500',
        });
        expect(outcome.exitCode).toBe(0);
        expect(existsSync(join(folder, how, 't_test.h5ad'))).toBe(true);
        expect(outcome.stderr).toMatch(/note: \d+ spans could not be sent to the collector: /);
        expect(outcome.stderr).not.toContain(SECRET);
      },
      how === 'never' ? 'never' : 'at once',
    );
  });
});

describe('without traces', () => {
  const loaded = async (
    name: string,
    flags: readonly string[],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<string> => {
    const list = join(folder, `${name}.loaded`);
    await writeFile(list, '');
    const preload = new URL('../support/loaded-modules.mjs', import.meta.url).href;
    const outcome = await run(name, ['--tests', 't-test', ...flags], {
      NODE_OPTIONS: `--import ${preload}`,
      SHARDEX_TEST_LOADED: list,
      ...environment,
    });
    expect([outcome.exitCode, outcome.stderr]).toEqual([0, expect.any(String)]);
    return readFile(list, 'utf8');
  };

  it('nothing of OpenTelemetry is loaded, in no process', async () => {
    expect(await loaded('plain', [])).toBe('');
    const off = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' };
    expect(await loaded('off', [], off)).toBe('');
    // The same look finds them when traces are asked for.
    const asked = await withReceiver(({ endpoint }) => loaded('asked', ['--otlp-endpoint', endpoint]));
    expect(asked).toContain('@opentelemetry/sdk-trace\n');
  });

  it('wrong use is said before anything runs', async () => {
    const outcomes = await Promise.all([
      run('wrong', ['--otlp-endpoint', 'collector:4318']),
      run('wrong', ['--otlp-endpoint', `http://me:${SECRET}@collector:4318`]),
      shardex(['de', input, '--out', 'x', '--coordinator', 'here:1', '--otlp-endpoint', 'http://here:4318']),
    ]);
    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2]);
    expect(outcomes[1].stderr).toContain('OTEL_EXPORTER_OTLP_HEADERS');
    expect(outcomes[1].stderr).not.toContain(SECRET);
    expect(outcomes[2].stderr).toContain('--otlp-endpoint has no meaning with --coordinator');
  });
});
