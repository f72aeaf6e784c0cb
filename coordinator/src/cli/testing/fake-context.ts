import { InvariantBrokenError } from '@shardex/shared/errors';
import type { CliContext, CliOutput, CliServices } from '../cli-context.js';

/** An output that keeps what was written. */
export class TextOutput implements CliOutput {
  text = '';

  constructor(
    readonly isTerminal = false,
    readonly hasColour = false,
    readonly columns = 100,
  ) {}

  write(text: string): void {
    this.text += text;
  }

  async flush(text: string): Promise<void> {
    this.text += text;
  }
}

/** A context without a process around it. */
export interface FakeContext extends CliContext {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  /** As Ctrl-C would. */
  interrupt(): void;
}

/** Thrown by `exitNow`, with the exit code as its message. */
export class ExitedError extends InvariantBrokenError {}

const absent = (): never => {
  throw new InvariantBrokenError('this test did not expect the service to be called');
};

/** @param services - those that the test expects to be called; all others fail it */
export function fakeContext(
  services: Partial<CliServices> = {},
  settings: Partial<Pick<CliContext, 'environment' | 'folder'>> & { readonly terminal?: boolean } = {},
): FakeContext {
  const listeners = new Set<() => void>();
  return {
    version: '1.2.3',
    stdout: new TextOutput(),
    stderr: new TextOutput(settings.terminal ?? false),
    environment: settings.environment ?? {},
    folder: settings.folder ?? '/data',
    services: {
      planJob: absent,
      runEmbedded: absent,
      serve: absent,
      connect: absent,
      buildReport: absent,
      ...services,
    },
    nowMs: () => 100_000,
    onInterrupt: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exitNow: (code) => {
      throw new ExitedError(String(code));
    },
    interrupt: () => listeners.forEach((listener) => listener()),
  };
}
