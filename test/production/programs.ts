import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { promisify } from 'node:util';

/** Whether every one of these programs answers when asked for its version. */
export const havePrograms = (...commands: readonly (readonly [string, ...string[]])[]): boolean =>
  commands.every(([file, ...args]) => {
    try {
      execFileSync(file, args, { stdio: 'ignore', timeout: 20_000 });
      return true;
    } catch {
      return false;
    }
  });

export interface ProgramOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly environment?: NodeJS.ProcessEnv;
    /** For its standard input. */
    readonly input?: string;
  } = {},
): Promise<ProgramOutcome> {
  const running = promisify(execFile)(file, args, {
    maxBuffer: 1 << 27,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.environment },
  });
  if (options.input === undefined) running.child.stdin?.end();
  else running.child.stdin?.end(options.input);
  try {
    return { exitCode: 0, ...(await running) };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { exitCode: code, stdout, stderr };
  }
}

/** Asks again until `ask` gives something. @throws after `deadlineMs`, saying what was waited for */
export async function eventually<Answer>(
  what: string,
  ask: () => Promise<Answer | null>,
  deadlineMs = 60_000,
): Promise<Answer> {
  const endMs = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (Date.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A port of loopback that nobody listened at a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
