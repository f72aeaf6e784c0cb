import {
  CONNECTION_SETTING_SPECS,
  parseAddress,
  parseChoice,
  parseHttpAddress,
  parseMemorySize,
  parseName,
  parseWholeNumber,
  type ConnectionSettings,
  type SettingSpec,
  type SettingSpecs,
} from '@shardex/shared/config';
import { LOG_LEVELS, type LogLevel } from '@shardex/shared/telemetry';

/** Configuration of `shardex worker`. */
export interface WorkerSettings extends ConnectionSettings {
  /** HOST:PORT of the coordinator. */
  readonly coordinator: string;
  /** Tasks at the same time; null: the usable cores. */
  readonly threads: number | null;
  /** Memory of all tasks together, in bytes; null: a share of the usable memory. */
  readonly memory: number | null;
  readonly logLevel: LogLevel;
  /** Base address of a collector of traces; null: what the OTEL_… variables say. */
  readonly otlpEndpoint: string | null;
  /** How long running tasks get to finish after SIGTERM or SIGINT. */
  readonly drainGraceMs: number;
  /** What the process ends with once it has drained. */
  readonly drainedExitCode: number;
  /** How long an abandoned task may go on before its thread is ended. */
  readonly abandonGraceMs: number;
  /** Give up when the coordinator has not answered for so long; 0: never. */
  readonly coordinatorTimeoutMs: number;
  /** Port of /metrics, /healthz and /readyz; null: none. */
  readonly healthPort: number | null;
  /** Where they listen. */
  readonly healthHost: string;
  /** End when the parent process does; a number: its id, so that a parent that died before is noticed too. */
  readonly exitWithParent: boolean | number;
}

/** Longest a timer of Node can wait, about 24 days. */
const MOST_TIMER_MS = 2 ** 31 - 1;
/** Linux counts processes up to 2^22, others not as far. */
const MOST_PROCESS_ID = 2 ** 22;
const milliseconds = (otherwise: number): SettingSpec<number> => ({
  otherwise,
  parse: (text, source) => parseWholeNumber(text, source, 0, MOST_TIMER_MS),
});

export const WORKER_SETTING_SPECS: SettingSpecs<WorkerSettings> = {
  ...CONNECTION_SETTING_SPECS,
  coordinator: { otherwise: '127.0.0.1:7443', parse: parseAddress },
  threads: { otherwise: null, parse: (text, source) => parseWholeNumber(text, source, 1, 1024) },
  memory: { otherwise: null, parse: parseMemorySize },
  logLevel: { otherwise: 'info', parse: (text, source) => parseChoice(text, LOG_LEVELS, source, 'level') },
  otlpEndpoint: { otherwise: null, parse: parseHttpAddress },
  // Kubernetes kills 30 s after it asks.
  drainGraceMs: milliseconds(20_000),
  drainedExitCode: { otherwise: 0, parse: (text, source) => parseWholeNumber(text, source, 0, 255) },
  abandonGraceMs: milliseconds(5_000),
  coordinatorTimeoutMs: milliseconds(0),
  healthPort: { otherwise: null, parse: (text, source) => parseWholeNumber(text, source, 0, 65_535) },
  healthHost: { otherwise: '127.0.0.1', parse: parseName },
  exitWithParent: {
    otherwise: false,
    parse: (text, source) =>
      /^\d+$/.test(text)
        ? parseWholeNumber(text, source, 1, MOST_PROCESS_ID)
        : parseChoice(text, ['true', 'false'], source) === 'true',
  },
};
