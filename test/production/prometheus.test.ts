import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeWithPart } from '../support/required-part.js';
import { shardex, simulatedScreen } from '../support/shardex.js';
import { startProcessCluster, type ProcessCluster } from './process-cluster.js';
import { eventually, freePort, havePrograms, runProgram } from './programs.js';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const ALERTS = join(DEPLOY, 'prometheus', 'alerts.yaml');

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana', 'shardex.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
};
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }, index) => ({ name: `${title} (${index + 1})`, expr })),
);
const alerts = (
  parse(readFileSync(ALERTS, 'utf8')) as { groups: { rules: { alert: string; expr: string }[] }[] }
).groups.flatMap(({ rules }) => rules);

/** A query as Grafana would send it for the default choice of its variables, with windows that fit a short job. */
const resolved = (expr: string): string =>
  expr.replaceAll('$coordinator', '.+').replaceAll('$__rate_interval', '10m').replaceAll('$__range', '10m');

/** A real Prometheus that scrapes one cluster several times a second. */
class RealPrometheus {
  private constructor(
    readonly origin: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(folder: string, { metricsAddress, workerAddresses }: ProcessCluster): Promise<RealPrometheus> {
    const jobs = { 'shardex-coordinator': [metricsAddress], 'shardex-worker': workerAddresses };
    const config = {
      global: { scrape_interval: '250ms', scrape_timeout: '250ms', evaluation_interval: '250ms' },
      rule_files: [ALERTS],
      scrape_configs: Object.entries(jobs).map(([name, targets]) => ({
        job_name: name,
        static_configs: [{ targets }],
      })),
    };
    const file = join(folder, 'prometheus.yaml');
    await writeFile(file, JSON.stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      'prometheus',
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, 'tsdb')}`,
        `--web.listen-address=${address}`,
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const prometheus = new RealPrometheus(`http://${address}`, child);
    await eventually('Prometheus', async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended with ${child.exitCode}`);
      const answer = await fetch(`${prometheus.origin}/-/ready`).catch(() => null);
      return answer?.ok === true ? answer : null;
    });
    return prometheus;
  }

  /** @throws with Prometheus's own words when the query is wrong */
  async query(expr: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
    const response = await fetch(`${this.origin}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const answer = (await response.json()) as {
      status: string;
      error?: string;
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`);
    return answer.data!.result;
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
  }
}

describeWithPart({
  part: 'prometheus',
  name: 'a real Prometheus',
  probe: () => (havePrograms(['prometheus', '--version'], ['promtool', '--version']) ? true : null),
  reason: 'prometheus and promtool are not installed (apt-get install prometheus)',
  body: () => {
    let folder: string;
    let cluster: ProcessCluster;
    let prometheus: RealPrometheus;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
      const screen = await simulatedScreen(folder);
      cluster = await startProcessCluster(2);
      prometheus = await RealPrometheus.start(folder, cluster);
      // A counter's increase is told from two scrapes: the first must be before the job.
      await eventually('a first scrape', async () => {
        const up = await prometheus.query('sum(shardex_workers) + count(shardex_worker_threads)');
        return up[0]?.value[1] === '4' ? up : null;
      });
      const outcome = await shardex(['de', screen, '--out', join(folder, 'results'), '--coordinator', cluster.address]);
      expect(outcome.exitCode, outcome.stderr).toBe(0);
      await eventually('the end of the job in the metrics', async () => {
        const ended = await prometheus.query('shardex_jobs_total{state="succeeded"} == 1');
        return ended.length > 0 ? ended : null;
      });
    });
    afterAll(async () => {
      await prometheus?.stop();
      await cluster?.stop();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('finds nothing to object to in what both processes expose', async () => {
      for (const address of [cluster.metricsAddress, ...cluster.workerAddresses]) {
        const text = await (await fetch(`http://${address}/metrics`)).text();
        const outcome = await runProgram('promtool', ['check', 'metrics'], { input: text });
        expect(outcome).toEqual({ exitCode: 0, stdout: '', stderr: '' });
      }
    });

    it('scraped every process, and found both sides to agree on what was done', async () => {
      expect(await prometheus.query('up == 1')).toHaveLength(3);
      for (const figure of ['nonzeros_total', 'fits_total', 'tasks_total']) {
        const [ours] = await prometheus.query(
          figure === 'tasks_total' ? 'sum(shardex_tasks_total{state="done"})' : `sum(shardex_${figure})`,
        );
        const [theirs] = await prometheus.query(
          figure === 'tasks_total'
            ? 'sum(shardex_worker_tasks_total{outcome="completed"})'
            : `sum(shardex_worker_${figure})`,
        );
        expect(Number(ours?.value[1])).toBeGreaterThan(0);
        expect(theirs?.value[1], figure).toBe(ours?.value[1]);
      }
    });

    it.each(queries)('has an answer for the dashboard: $name', async ({ expr }) => {
      const result = await prometheus.query(resolved(expr));
      expect(result.length, expr).toBeGreaterThan(0);
      for (const { value } of result) expect(Number.isFinite(Number(value[1])), `${expr}: ${value[1]}`).toBe(true);
    });

    it('raises no alert over a job that went well, and knows every metric that an alert reads', async () => {
      expect(await prometheus.query('ALERTS')).toEqual([]);
      for (const { alert, expr } of alerts) {
        for (const name of new Set(expr.match(/\b(shardex|process)_\w+/g))) {
          const found = await prometheus.query(name);
          expect(found.length, `${alert} reads ${name}`).toBeGreaterThan(0);
        }
      }
    });

    it('passes the unit tests of the alerts', async () => {
      const outcome = await runProgram('promtool', ['test', 'rules', 'alerts.test.yaml'], {
        cwd: join(DEPLOY, 'prometheus'),
      });
      expect(outcome.exitCode, outcome.stdout).toBe(0);
      const checked = await runProgram('promtool', ['check', 'config', join(DEPLOY, 'prometheus', 'prometheus.yaml')]);
      expect(checked.exitCode, checked.stderr).toBe(0);
    });
  },
});
