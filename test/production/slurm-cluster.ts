import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, havePrograms, runProgram } from './programs.js';

/** A real Slurm whose nodes are all this machine: each has a daemon, a name and a port of its own. */
export class SlurmCluster {
  /** Whether there are the daemons, and root to start them. */
  static isInstalled(): boolean {
    return process.getuid?.() === 0 && havePrograms(['slurmctld', '-V'], ['slurmd', '-V'], ['munged', '--version']);
  }

  readonly environment: NodeJS.ProcessEnv;
  readonly #children: ChildProcess[] = [];

  private constructor(private readonly folder: string) {
    this.environment = { ...process.env, SLURM_CONF: join(folder, 'slurm.conf') };
  }

  /** @param folder - short: a socket's whole path may have 107 characters */
  static async start(folder: string, nodes: number): Promise<SlurmCluster> {
    const cluster = new SlurmCluster(folder);
    try {
      await cluster.#start(nodes);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #start(nodes: number): Promise<void> {
    const at = (name: string): string => join(this.folder, name);
    for (const name of ['state', 'spool', 'log']) await mkdir(at(name));
    await writeFile(at('munge.key'), randomBytes(1024), { mode: 0o400 });
    const ports: number[] = [];
    for (let node = 0; node <= nodes; node++) ports.push(await freePort());
    const [controller, ...ofNodes] = ports;
    const lines = [
      'ClusterName=test',
      `SlurmctldHost=${hostname()}(127.0.0.1)`,
      `SlurmctldPort=${controller}`,
      'SlurmUser=root',
      'SlurmdUser=root',
      'AuthType=auth/munge',
      `AuthInfo=socket=${at('munge.socket')}`,
      'CryptoType=crypto/munge',
      `StateSaveLocation=${at('state')}`,
      `SlurmdSpoolDir=${at('spool')}/%n`,
      `SlurmctldPidFile=${at('slurmctld.pid')}`,
      `SlurmdPidFile=${at('slurmd.%n.pid')}`,
      `SlurmctldLogFile=${at('log')}/slurmctld.log`,
      `SlurmdLogFile=${at('log')}/slurmd.%n.log`,
      'ProctrackType=proctrack/linuxproc',
      'TaskPlugin=task/none',
      'JobAcctGatherType=jobacct_gather/none',
      'AccountingStorageType=accounting_storage/none',
      'MpiDefault=none',
      'SwitchType=switch/none',
      'SelectType=select/cons_tres',
      'SelectTypeParameters=CR_Core_Memory',
      'SchedulerType=sched/backfill',
      'SchedulerParameters=sched_interval=1,bf_interval=1',
      'ReturnToService=2',
      'SlurmdParameters=config_overrides',
      'KillWait=5',
      ...ofNodes.map(
        (port, index) =>
          `NodeName=n${index + 1} NodeHostname=${hostname()} NodeAddr=127.0.0.1 Port=${port} CPUs=2 RealMemory=2000 State=UNKNOWN`,
      ),
      'PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP',
    ];
    await writeFile(at('slurm.conf'), `${lines.join('\n')}\n`);
    const munge = ['key', 'pid', 'log', 'seed'].map((file) => `--${file}-file=${at(`munge.${file}`)}`);
    this.#spawn('munged', ['--foreground', '--force', `--socket=${at('munge.socket')}`, ...munge]);
    await eventually('munged', async () =>
      (await runProgram('munge', ['--no-input', `--socket=${at('munge.socket')}`])).exitCode === 0 ? true : null,
    );
    this.#spawn('slurmctld', ['-D', '-i']);
    for (let node = 1; node <= nodes; node++) this.#spawn('slurmd', ['-D', '-N', `n${node}`]);
    await eventually('idle nodes', async () => {
      const { stdout } = await this.run('sinfo', '--noheader', '--Node', '--format=%N %t');
      return stdout.match(/ idle$/gm)?.length === nodes ? true : null;
    });
  }

  run(program: string, ...args: string[]) {
    return runProgram(program, args, { environment: this.environment });
  }

  /** @returns the job's number */
  async submit(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await runProgram('sbatch', ['--parsable', ...args], {
      environment: { ...this.environment, ...environment },
    });
    if (exitCode !== 0) throw new Error(`sbatch: ${stderr}`);
    return stdout.trim();
  }

  /** What the controller knows of a job, by its own names. */
  async job(id: string): Promise<Record<string, string>> {
    const { stdout } = await this.run('scontrol', 'show', 'job', '--oneliner', id);
    return Object.fromEntries([...stdout.matchAll(/(\w+)=(\S*)/g)].map(([, name, value]) => [name, value]));
  }

  /** Waits until a job has come to an end. @returns what is known of it then */
  ended(id: string): Promise<Record<string, string>> {
    return eventually(
      `the end of job ${id}`,
      async () => {
        const job = await this.job(id);
        return /^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$/.test(job['JobState'] ?? '') ? job : null;
      },
      300_000,
    );
  }

  async stop(): Promise<void> {
    // Jobs first: what they started is known to the daemons alone.
    await this.run('scancel', '--full', '--partition=all').catch(() => undefined);
    await eventually('an empty queue', async () => {
      const { exitCode, stdout } = await this.run('squeue', '--noheader');
      return exitCode !== 0 || stdout.trim() === '' ? true : null;
    });
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
  }

  #spawn(program: string, args: readonly string[]): void {
    this.#children.push(spawn(program, args, { stdio: 'ignore', env: this.environment }));
  }
}
