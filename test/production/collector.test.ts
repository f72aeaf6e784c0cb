import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { parseSpans, type ReceivedSpan } from '../support/otlp-receiver.js';
import { describeWithPart } from '../support/required-part.js';
import { hashes, shardex, simulatedScreen, type CliOutcome } from '../support/shardex.js';
import { expectOneTree, named } from '../support/trace-tree.js';
import { eventually, freePort, havePrograms } from './programs.js';

/** For a run of some seconds, so that there is something left when the collector goes. */
const SCREEN_SIZES = '--cells 4000 --genes 800 --perturbations 20 --depth 2000 --seed 7';
const RESULTS = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];

/** A real OpenTelemetry collector that writes what it receives to a file. */
class Collector {
  private constructor(
    readonly endpoint: string,
    readonly file: string,
    readonly process: ChildProcess,
  ) {}

  static async start(program: string, folder: string): Promise<Collector> {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    const [config, file] = [join(folder, `collector-${port}.yaml`), join(folder, `spans-${port}.json`)];
    const settings = {
      receivers: { otlp: { protocols: { http: { endpoint: address } } } },
      exporters: { file: { path: file, flush_interval: '100ms' } },
      service: {
        pipelines: { traces: { receivers: ['otlp'], exporters: ['file'] } },
        telemetry: { metrics: { level: 'none' } },
      },
    };
    await writeFile(config, JSON.stringify(settings));
    const child = spawn(program, ['--config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
    const collector = new Collector(`http://${address}`, file, child);
    await eventually('the collector to listen', () => {
      if (child.exitCode !== null) throw new Error(`the collector ended with ${child.exitCode}`);
      const socket = connect(port, '127.0.0.1');
      return once(socket, 'connect').then(
        () => (socket.destroy(), true),
        () => null,
      );
    });
    return collector;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
  }

  /** What it has written, one request a line. */
  async spans(): Promise<ReceivedSpan[]> {
    const lines = (await readFile(this.file, 'utf8')).trimEnd().split('\n');
    return lines.flatMap(parseSpans);
  }
}

describeWithPart({
  part: 'collector',
  name: 'a real OpenTelemetry collector',
  probe: () => {
    const program = process.env['SHARDEX_COLLECTOR'];
    return program !== undefined && havePrograms([program, '--help']) ? program : null;
  },
  reason: 'SHARDEX_COLLECTOR names no program built of test/production/collector',
  body: (program) => {
    let folder: string;
    let screen: string;
    let collector: Collector;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
      screen = await simulatedScreen(folder, SCREEN_SIZES);
    });
    beforeEach(async () => {
      collector = await Collector.start(program, folder);
    });
    afterEach(() => collector.stop('SIGKILL'));
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const run = (name: string, environment: NodeJS.ProcessEnv): Promise<CliOutcome> => {
      const options = ['--out', join(folder, name), '--workers', '2', '--otlp-endpoint', collector.endpoint];
      return shardex(['de', screen, ...options], environment);
    };

    it.each([
      ['protobuf', {}],
      ['compressed-protobuf', { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }],
      ['json', { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }],
    ])('receives a whole run as %s', async (name, environment) => {
      const { exitCode, stderr } = await run(name, environment);
      expect([exitCode, stderr]).toEqual([0, expect.not.stringContaining('could not be sent')]);
      // In order: it writes what it holds.
      await collector.stop('SIGTERM');
      const spans = await collector.spans();
      await expectOneTree(spans, join(folder, name));
      const [{ attributes: job }] = named(spans, 'job');
      const task = expect.stringMatching(new RegExp(`^${job['shardex.job.id']}/[a-z-]+/\\d+$`));
      for (const { attributes } of [...named(spans, 'task '), ...named(spans, 'run ')]) {
        expect(attributes).toMatchObject({ 'shardex.task.id': task, 'shardex.attempt': expect.any(Number) });
      }
    });

    it('costs a run nothing but one note when it is killed in the midst of it', async () => {
      const whole = await shardex(['de', screen, '--out', join(folder, 'whole'), '--workers', '2']);
      expect(whole.exitCode, whole.stderr).toBe(0);
      const killed = join(folder, 'killed');
      const running = run('killed', { OTEL_BSP_SCHEDULE_DELAY: '100' });
      await eventually('the first spans', async () => ((await stat(collector.file)).size > 0 ? true : null));
      await collector.stop('SIGKILL');
      expect(existsSync(join(killed, 'run.json')), 'the run ended before its collector').toBe(false);
      const outcome = await running;
      expect(outcome.exitCode, outcome.stderr).toBe(0);
      expect(outcome.stderr.match(/could not be sent/g), outcome.stderr).toHaveLength(1);
      expect(await hashes(killed, RESULTS)).toEqual(await hashes(join(folder, 'whole'), RESULTS));
    });
  },
});
