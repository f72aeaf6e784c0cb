import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type SecureContextOptions } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobService, JobState } from '@shardex/proto';
import { connectRpc, unaryCall } from '@shardex/shared/rpc';
import { hasOpenssl, TestAuthority, type CertificateFiles } from '../support/certificates.js';
import { describeWithPart } from '../support/required-part.js';
import { runCluster, shardex, simulatedScreen, type CliOutcome } from '../support/shardex.js';
import { freePort, LoggingProcess } from '../support/standing-cluster.js';

/** What must not be seen anywhere but where it was put. */
const SECRETS = {
  submitToken: 'token-of-alice-5b1f6e0c9a',
  readToken: 'token-of-bob-77d0e2c4b1',
  wrongToken: 'token-of-nobody-19c3a5f7e2',
  s3Secret: 's3-secret-key-0d4e8f2a6c',
} as const;

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

describeWithPart({
  part: 'openssl',
  name: 'a cluster beyond this machine',
  probe: () => (hasOpenssl() ? true : null),
  reason: 'there is no openssl to make certificates with',
  body: () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardex-security-'));
    const at = (path: string): string => join(folder, path);
    /** What the processes are told to use; the certificates below are copied there. */
    const [ca, server, node] = [at('pki/ca.crt'), filesAt('pki/server'), filesAt('pki/node')];
    const processes: LoggingProcess[] = [];
    const said: CliOutcome[] = [];
    let address = '';
    let coordinator: LoggingProcess;
    let worker: LoggingProcess;

    function filesAt(name: string): CertificateFiles {
      return { cert: at(`${name}.crt`), key: at(`${name}.key`) };
    }

    /** Puts an authority's certificates where the processes look. */
    function install(authority: TestAuthority): void {
      const serverFiles = authority.issue('server', 'coordinator', ['DNS:localhost', 'IP:127.0.0.1']);
      const nodeFiles = authority.issue('node-1', 'worker');
      copyFileSync(authority.ca, ca);
      for (const kind of ['cert', 'key'] as const) {
        copyFileSync(serverFiles[kind], server[kind]);
        copyFileSync(nodeFiles[kind], node[kind]);
      }
    }

    function start(args: readonly string[]): LoggingProcess {
      const started = new LoggingProcess(args);
      processes.push(started);
      return started;
    }

    const startCoordinator = (): LoggingProcess =>
      start([
        ...['coordinator', '--listen', address.replace('localhost', '0.0.0.0'), '--metrics-port', '0'],
        ...['--tls-cert', server.cert, '--tls-key', server.key, '--tls-ca', ca, '--tokens', at('tokens')],
        ...['--allow-input', at('data'), '--allow-output', at('results'), '--state', at('state')],
        ...['--log-level', 'debug'],
      ]);

    /** The command line as somebody uses it, with the authority's certificate. */
    async function run(args: readonly string[], token: string | null, to = address): Promise<CliOutcome> {
      const environment = {
        SHARDEX_DEBUG: '1',
        SHARDEX_TLS_CA: ca,
        ...(token === null ? {} : { SHARDEX_TOKEN: token }),
      };
      const outcome = await shardex([...args, '--coordinator', to], environment);
      said.push(outcome);
      return outcome;
    }

    const showing = ({ cert, key }: CertificateFiles): string[] => ['--tls-cert', cert, '--tls-key', key];
    const refused = (outcome: CliOutcome, sentence: string): void => {
      expect(outcome.stderr).toContain(sentence);
      expect(outcome.exitCode).toBe(2);
    };

    let authority: TestAuthority;
    let stranger: TestAuthority;

    beforeAll(async () => {
      process.env['AWS_SECRET_ACCESS_KEY'] = SECRETS.s3Secret;
      process.env['AWS_ACCESS_KEY_ID'] = 'somebody';
      for (const name of ['data', 'results', 'elsewhere', 'pki']) mkdirSync(at(name));
      authority = new TestAuthority(at('authority'));
      stranger = new TestAuthority(at('stranger'));
      install(authority);
      const lines = [`alice submit ${hashOf(SECRETS.submitToken)}`, `bob read ${hashOf(SECRETS.readToken)}`];
      writeFileSync(at('tokens'), `${lines.join('\n')}\n`);
      writeFileSync(at('token'), `${SECRETS.submitToken}\n`, { mode: 0o600 });
      await simulatedScreen(at('data'));
      copyFileSync(at('data/screen.h5ad'), at('elsewhere/screen.h5ad'));
      symlinkSync(at('elsewhere'), at('data/shortcut'));
      address = `localhost:${await freePort()}`;
      coordinator = startCoordinator();
      await coordinator.said((line) => line['address'] !== undefined);
      worker = start(['worker', '--coordinator', address, '--threads', '1', '--tls-ca', ca, ...showing(node)]);
    }, 60_000);

    afterAll(async () => {
      for (const one of processes) one.kill('SIGKILL');
      for (const one of processes) await one.exited;
      rmSync(folder, { recursive: true, force: true });
    });

    /** Of every process on this machine while a job ran. */
    let commandLines = '';

    it('runs a job for whoever has a token, by a worker with a certificate', async () => {
      const submitted = coordinator.said((line) => line.event === 'job-submitted');
      const job = run(['de', at('data/screen.h5ad'), '--out', at('results/a'), '--token-file', at('token')], null);
      await submitted;
      commandLines = readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => readOrNothing(`/proc/${pid}/cmdline`))
        .join('\n');
      const outcome = await job;
      expect(outcome.exitCode, outcome.stderr).toBe(0);
      expect(readdirSync(at('results/a'))).toContain('run.json');
    }, 120_000);

    it('asks everybody who they are', async () => {
      const unknown = 'the coordinator does not know who calls';
      refused(await run(['jobs'], null), unknown);
      refused(await run(['jobs'], SECRETS.wrongToken), unknown);
      refused(await run(['jobs', ...showing(stranger.issue('mallory', 'client'))], null), unknown);
      refused(await run(['jobs', ...showing(node)], null), 'certificate node-1 has not the right to read');
      const job = ['de', at('data/screen.h5ad'), '--out', at('results/b')];
      refused(await run(job, SECRETS.readToken), 'token bob has not the right to submit');
      expect((await run(['jobs'], SECRETS.readToken)).exitCode).toBe(0);
      expect((await run(['jobs', ...showing(authority.issue('carol', 'client'))], null)).exitCode).toBe(0);
    }, 120_000);

    it('takes no worker with the certificate of a client', async () => {
      const client = authority.issue('dave', 'client');
      const impostor = start([
        'worker',
        '--coordinator',
        address,
        '--threads',
        '1',
        '--tls-ca',
        ca,
        ...showing(client),
      ]);
      expect(await impostor.exited).toBe(2);
      expect(impostor.stderr).toContain('certificate dave has not the right to work');
    }, 60_000);

    it('is believed only under its own name and with its own authority', async () => {
      const elsewhere = await run(['jobs'], SECRETS.readToken, address.replace('localhost', '127.0.0.2'));
      expect(elsewhere).toMatchObject({ exitCode: 1 });
      expect(elsewhere.stderr).toContain('is not in the cert');
      const doubting = await run(['jobs', '--tls-ca', stranger.ca], SECRETS.readToken);
      expect(doubting).toMatchObject({ exitCode: 1 });
      expect(doubting.stderr).toMatch(/self.signed certificate|unable to (get|verify)|signature failure/);
      expect((await run(['jobs'], SECRETS.readToken, address.replace('localhost', '127.0.0.1'))).exitCode).toBe(0);
    }, 60_000);

    it('is not told a token that would cross the network in plain text', async () => {
      const outcome = await shardex(['jobs', '--coordinator', 'head.test:7443'], { SHARDEX_TOKEN: SECRETS.readToken });
      said.push(outcome);
      refused(outcome, 'the token would cross the network to head.test:7443 unencrypted');
    });

    it('reads and writes where it may, links and parent folders included', async () => {
      const submit = (input: string, output: string): Promise<CliOutcome> =>
        run(['de', input, '--out', output], SECRETS.submitToken);
      const outside = `reading ${at('elsewhere/screen.h5ad')} is not allowed by this coordinator`;
      refused(await submit(at('elsewhere/screen.h5ad'), at('results/c')), outside);
      refused(await submit(at('data/shortcut/screen.h5ad'), at('results/c')), 'is not allowed by this coordinator');
      refused(
        await submit('s3://others/screen.h5ad', at('results/c')),
        'reading s3://others/screen.h5ad is not allowed',
      );
      refused(
        await submit(at('data/screen.h5ad'), at('elsewhere/c')),
        `writing to ${at('elsewhere/c')} is not allowed`,
      );
      expect(readdirSync(at('elsewhere'))).toEqual(['screen.h5ad']);
    }, 120_000);

    it('speaks nothing older than TLS 1.3', async () => {
      await expect(serialOf(address, ca, { maxVersion: 'TLSv1.2' })).rejects.toMatchObject({
        code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      });
      expect(await serialOf(address, ca, { minVersion: 'TLSv1.3' })).not.toBe('');
    });

    it('takes up new certificates while it runs; a worker finds a coordinator with others without being started again', async () => {
      const before = await serialOf(address, ca);
      const renewed = new TestAuthority(at('renewed'));
      // The key of another certificate: what is in force stays in force.
      copyFileSync(node.key, server.key);
      const kept = await coordinator.said((line) => line['what'] === 'certificates' && line['why'] !== undefined);
      expect(JSON.stringify(kept)).toContain('TLS cannot be set up');
      expect(await serialOf(address, ca)).toBe(before);

      install(renewed);
      await coordinator.said((line) => line['what'] === 'certificates' && line['why'] === undefined);
      expect(await serialOf(address, ca)).not.toBe(before);
      refused(await run(['jobs', ...showing(authority.issue('erin', 'client'))], null), 'does not know who calls');

      coordinator.kill('SIGTERM');
      await coordinator.exited;
      // Also what it said at the end is its log.
      expect(coordinator.stderr).not.toMatch(/^[^{]/m);
      coordinator = startCoordinator();
      await coordinator.said((line) => line.event === 'worker-registered');
      const job = ['de', at('data/screen.h5ad'), '--out', at('results/d')];
      const outcome = await run(job, SECRETS.submitToken);
      expect(outcome.exitCode, outcome.stderr).toBe(0);
      expect(worker.isOver).toBe(false);
    }, 180_000);

    it('keeps the cluster of shardex de to its own processes, whatever leads elsewhere', async () => {
      process.env['SHARDEX_TLS_CA'] = at('absent');
      const calls: Promise<unknown>[] = [];
      const call = (pid: number): void => {
        const address = /127\.0\.0\.1:\d+/.exec(readOrNothing(`/proc/${pid}/cmdline`))?.[0] ?? 'unknown:1';
        const client = connectRpc(address);
        const listed = unaryCall(client, JobService.method.listJobs, {}).finally(() => client.close());
        calls.push(expect(listed).rejects.toMatchObject({ message: 'the coordinator does not know who calls' }));
      };
      const job = await runCluster(at('data/screen.h5ad'), at('own'), { onWorker: call });
      delete process.env['SHARDEX_TLS_CA'];
      expect(job.state).toBe(JobState.SUCCEEDED);
      expect(calls).toHaveLength(1);
      await Promise.all(calls);
    }, 60_000);

    it('keeps secrets to itself: logs, errors, results, journal and lists of processes', async () => {
      // Nothing is written or tidied up any more.
      for (const one of processes) one.kill('SIGTERM');
      for (const one of processes) await one.exited;
      const written = ['results', 'state'].flatMap((name) => filesBelow(at(name)));
      const texts: Record<string, string> = {
        'lists of processes': commandLines,
        logs: processes.map(({ stderr }) => stderr).join('\n'),
        outcomes: said.map(({ stdout, stderr }) => `${stdout}\n${stderr}`).join('\n'),
        ...Object.fromEntries(written.map((path) => [path, readFileSync(path, 'latin1')])),
      };
      // The search sees what is there.
      expect(commandLines).toContain(at('token'));
      expect(texts['logs']).toContain('token bob has not the right to submit');
      expect(texts['outcomes']).toContain('token bob has not the right to submit');
      expect(written.some((path) => path.endsWith('run.json'))).toBe(true);
      expect(written.some((path) => path.startsWith(at('state')))).toBe(true);
      const keys = [server.key, node.key].map((path) => readFileSync(path, 'utf8').split('\n')[1] ?? '');
      for (const secret of [...Object.values(SECRETS), ...Object.values(SECRETS).map(hashOf), ...keys]) {
        expect(secret.length).toBeGreaterThan(20);
        for (const [where, text] of Object.entries(texts))
          expect(text.includes(secret), `${secret} in ${where}`).toBe(false);
      }
    });
  },
});

/** Serial number of the certificate that is shown to a new connection. */
function serialOf(address: string, ca: string, versions: SecureContextOptions = {}): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const trust = { ca: readFileSync(ca), rejectUnauthorized: false, ...versions };
    const options = { host, port: Number(port), servername: host, ...trust };
    const socket = connect({ ...options, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

/** A process may end while the list is read. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
