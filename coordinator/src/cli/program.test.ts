import { describe, expect, it } from 'vitest';
import {
  CancelledError,
  InvalidInputError,
  InvariantBrokenError,
  ResourceExhaustedError,
} from '@shardex/shared/errors';
import { JobState, StageState } from '@shardex/proto';
import type { CliServices } from './cli-context.js';
import { runCli } from './program.js';
import { ExitedError, fakeContext } from './testing/fake-context.js';
import { fakeJob } from './testing/fake-job.js';

const run = async (
  line: string,
  services: Partial<CliServices> = {},
  settings: Parameters<typeof fakeContext>[1] = {},
) => {
  const context = fakeContext(services, settings);
  const code = await runCli(
    line.split(' ').filter((word) => word !== ''),
    context,
  );
  return { code, stdout: context.stdout.text, stderr: context.stderr.text };
};

describe('wrong use', () => {
  it.each([
    ['', 'no command was given: run shardex --help to see what there is'],
    ['inpsect a.h5ad', "unknown command 'inpsect': did you mean inspect?"],
    ['--verison', "unknown option '--verison': did you mean --version?"],
    ['zzz', "unknown command 'zzz': see shardex --help"],
    ['de a.h5ad --tets t-test', "unknown option '--tets': did you mean --tests?"],
    ['de', "missing required argument 'FILE': see shardex de --help"],
    ['de a.h5ad', 'there is no folder for the results: name one with --out DIR'],
    ['de a.h5ad b.h5ad --out r', "too many arguments for 'de'. Expected 1 argument but got 2: see shardex de --help"],
    ['de a.h5ad --out r --workers 0', '--workers "0" is not a whole number from 1 to 1024: give one, as 1'],
    ['de a.h5ad --out r --alpha', "option '--alpha <LEVEL>' argument missing: see shardex de --help"],
    ['de a.h5ad --out r --cook-filter', "unknown option '--cook-filter': did you mean --cooks-filter?"],
    ['simulate a.h5ad', "required option '--cells <N>' not specified: see shardex simulate --help"],
    [
      'simulate a.h5ad --cells x --genes 1 --perturbations 1',
      '--cells "x" is not a whole number of at least 1: give one, as 1',
    ],
    ['results /nowhere', '/nowhere: no such folder: name the folder that "shardex de --out" wrote'],
    ['results /nowhere --format xml', '--format: unknown format "xml": valid are "table", "csv" and "json"'],
    ['jobs --limit 0', '--limit "0" is not a whole number from 1 to 10000: give one, as 1'],
    ['jobs --coordinator here', '--coordinator "here" is not an address: write HOST:PORT, as 127.0.0.1:7070'],
    ['coordinator --lease-ms soon', '--lease-ms "soon" is not a whole number of at least 100: give one, as 100'],
    ['coordinator --config /nowhere.yaml', 'reading /nowhere.yaml: no such file or directory: check the path'],
  ])('%j is one sentence and exit code 2', async (line, sentence) => {
    expect(await run(line)).toEqual({ code: 2, stdout: '', stderr: `shardex: ${sentence}\n` });
  });
});

describe('help', () => {
  it('goes to stdout and is no failure', async () => {
    for (const line of ['--help', 'de --help', 'help de', 'worker', 'coordinator -h'].filter(
      (each) => each !== 'worker',
    )) {
      const { code, stdout, stderr } = await run(line);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: shardex/);
      expect(stdout).toContain('Example');
    }
  });

  it('offers the options of the contract that exist, and no others', async () => {
    const { stdout } = await run('de --help');
    const offered = [...stdout.matchAll(/^ {2}(?:-\w, )?--([a-z0-9-]+)/gm)].map((match) => match[1]).sort();
    expect(offered).toEqual(
      [
        'alpha',
        'batch-column',
        'batch-weights',
        'cooks',
        'cooks-filter',
        'covariates',
        'dispersion-estimator',
        'dispersion-scope',
        'low-expression-filter',
        'min-cells-expressed',
        'min-mu',
        'min-nonzero',
        'min-total-count',
        'preset',
        'rank-precision',
        'reference',
        'se',
        'shrink-prior',
        'size-factor-scope',
        'wald-reference',
        'continuity',
        'control-label',
        'coordinator',
        'correction',
        'dispersion',
        'force',
        'format',
        'help',
        'input-scale',
        'json',
        'layer',
        'layers',
        'memory',
        'min-cells-per-gene',
        'min-cells-per-perturbation',
        'min-genes',
        'nb-test',
        'no-scale-size-factors',
        'no-tie-correct',
        'otlp-endpoint',
        'out',
        'perturbation-column',
        'perturbations',
        'quiet',
        'resume',
        'scanpy',
        'scratch',
        'shrink',
        'size-factors',
        't-test',
        'tests',
        'tie-correct',
        'tls-ca',
        'tls-cert',
        'tls-key',
        'token-file',
        'workers',
      ].sort(),
    );
  });

  it('shows the version', async () => {
    expect(await run('--version')).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' });
  });
});

describe('de', () => {
  const job = fakeJob(JobState.SUCCEEDED, [{ name: 'scan', state: StageState.DONE, tasksTotal: 2 }]);
  const update = { job, events: [] };

  it('hands validated parameters with absolute paths to an embedded cluster', async () => {
    const calls: unknown[] = [];
    const runEmbedded: CliServices['runEmbedded'] = async (parameters, options, onUpdate) => {
      calls.push([
        parameters.input,
        parameters.output,
        parameters.scratch,
        parameters.tests,
        parameters.tieCorrect,
        options,
      ]);
      onUpdate(update);
    };
    const line = 'de a.h5ad --out r --scratch /s --tests t-test --no-tie-correct --workers 3 --memory 2GiB --force';
    const { code, stdout, stderr } = await run(line, { runEmbedded });
    expect(calls).toEqual([
      [
        '/data/a.h5ad',
        '/data/r',
        '/s',
        ['t-test'],
        false,
        { workers: 3, memoryBytes: 2 ** 31, existingOutput: 'force', otlpEndpoint: null },
      ],
    ]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: '[1/1] scan: done, 2 tasks in 40 s\ndone in 0.0 s: t_test.h5ad in /data/r\n',
    });
  });

  it('is silent with --quiet and machine-readable with --json', async () => {
    const runEmbedded: CliServices['runEmbedded'] = async (_parameters, _options, onUpdate) => onUpdate(update);
    expect(await run('de a.h5ad --out r --quiet', { runEmbedded })).toEqual({ code: 0, stdout: '', stderr: '' });
    const { stdout, stderr } = await run('de a.h5ad --out r --json', { runEmbedded });
    expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', output: '/data/r' });
    for (const line of stderr.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('event');
  });

  it.each([
    [new InvalidInputError('no control'), 2],
    [new ResourceExhaustedError('the disk is full'), 1],
    [new InvariantBrokenError('a bug'), 1],
  ])('says %s once, with the exit code of its family', async (error, code) => {
    const runEmbedded = (): Promise<never> => Promise.reject(error);
    expect(await run('de a.h5ad --out r', { runEmbedded })).toEqual({
      code,
      stdout: '',
      stderr: `shardex: ${error.message}\n`,
    });
  });

  it('adds the stack only with SHARDEX_DEBUG=1', async () => {
    const runEmbedded = (): Promise<never> => Promise.reject(new InvalidInputError('no control'));
    const { stderr } = await run('de a.h5ad --out r', { runEmbedded }, { environment: { SHARDEX_DEBUG: '1' } });
    expect(stderr).toMatch(/^shardex: no control\nInvalidInput: no control\n {4}at /);
  });

  it('cancels at the first Ctrl-C, with exit code 130, and stops at once at the second', async () => {
    const context = fakeContext({
      runEmbedded: async (_parameters, _options, _onUpdate, signal) => {
        context.interrupt();
        expect(signal.aborted).toBe(true);
        expect(() => context.interrupt()).toThrow(ExitedError);
        throw new CancelledError('interrupted');
      },
    });
    expect(await runCli(['de', 'a.h5ad', '--out', 'r'], context)).toBe(130);
    expect(context.stderr.text).toBe(
      [
        'shardex: cancelling the job; press Ctrl-C again to stop at once',
        'shardex: stopped at once',
        'shardex: cancelled; nothing was written: add --resume to the same command to go on from here',
        '',
      ].join('\n'),
    );
  });

  it('leaves what a coordinator says when it is stopped to its log', async () => {
    const context = fakeContext({
      serve: async (_settings, signal) => {
        context.interrupt();
        expect(signal.aborted).toBe(true);
        expect(() => context.interrupt()).toThrow(new ExitedError('130'));
      },
    });
    expect(await runCli(['coordinator'], context)).toBe(0);
    expect(context.stderr.text).toBe('');
  });
});

describe('jobs of a coordinator', () => {
  const job = fakeJob(JobState.FAILED, [
    { name: 'scan', state: StageState.FAILED, tasksTotal: 4, tasksDone: 1, progress: 0.25 },
  ]);
  const clientAt = (addresses: string[]): CliServices['connect'] => {
    return (address) => {
      addresses.push(address);
      return {
        submit: async () => job,
        get: async () => job,
        list: async () => [job],
        watch: async function* () {
          yield { job, events: [] };
        },
        cancel: async () => job,
        events: async () => [],
        close: () => addresses.push('closed'),
      };
    };
  };

  it('are asked for at the address of the flag, of the environment, or the default, and the connection is closed', async () => {
    const addresses: string[] = [];
    const services = { connect: clientAt(addresses) };
    await run('jobs --coordinator a:1', services, { environment: { SHARDEX_COORDINATOR: 'b:2' } });
    await run('jobs', services, { environment: { SHARDEX_COORDINATOR: 'b:2' } });
    await run('jobs', services);
    expect(addresses).toEqual(['a:1', 'closed', 'b:2', 'closed', '127.0.0.1:7443', 'closed']);
  });

  it('are a table for people and objects for programs', async () => {
    const services = { connect: clientAt([]) };
    const table = await run('jobs', services);
    expect(table.stdout.split('\n')[0]).toBe(
      'JOB    STATE   DONE  SUBMITTED                  TIME  INPUT              OUTPUT',
    );
    expect(table.stdout.split('\n')[1]).toMatch(
      /^job-1 {2}failed {3}25% {2}\S+ \S+ {2}1 min 20 s {2}\/data\/screen.h5ad {2}\/data\/results$/,
    );
    expect(JSON.parse((await run('status job-1 --json', services)).stdout)).toMatchObject({
      job: 'job-1',
      state: 'failed',
    });
  });

  it('give their exit code to whoever watches them', async () => {
    const { code, stderr } = await run('watch job-1 --quiet', { connect: clientAt([]) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^shardex: job job-1 failed/);
  });
});
