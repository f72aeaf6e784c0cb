import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** Found by `SHARDEX_VERSITYGW`, null where there is none. */
export function versitygwBinary(): string | null {
  const binary = process.env['SHARDEX_VERSITYGW'] ?? '';
  return binary !== '' && existsSync(binary) ? binary : null;
}

export interface RunningVersitygw {
  /** Settings under which a process finds it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Its folder: buckets are the folders in it. */
  readonly data: string;
  close(): Promise<void>;
}

/** Starts a real S3 gateway over a folder: signatures are enforced, with an identity store of its own. */
export async function startVersitygw(binary: string, buckets: readonly string[]): Promise<RunningVersitygw> {
  const folder = await mkdtemp(join(tmpdir(), 'shardex-versitygw-'));
  const data = join(folder, 'data');
  for (const bucket of buckets) await mkdir(join(data, bucket), { recursive: true });
  await mkdir(join(folder, 'iam'));
  const port = await freePort();
  const credentials = { ROOT_ACCESS_KEY: 'contract-access', ROOT_SECRET_KEY: 'contract-secret' };
  const child = spawn(binary, ['--port', `127.0.0.1:${port}`, '--iam-dir', join(folder, 'iam'), 'posix', data], {
    env: { ...process.env, ...credentials },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`versitygw ended: ${stderr}`);
    await wait(50);
  }
  return {
    data,
    environment: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.ROOT_ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: credentials.ROOT_SECRET_KEY,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    async close() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => undefined);
    socket.unref();
    socket.on('connect', () => socket.destroy());
  });
