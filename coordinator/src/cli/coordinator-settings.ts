import {
  parseAddress,
  parseChoice,
  parseHttpAddress,
  parseMemorySize,
  parseWholeNumber,
  type SettingSpecs,
} from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { LOG_LEVELS, type LogLevel } from '@shardex/shared/telemetry';
import { COORDINATOR_SECURITY_SPECS, type CoordinatorSecuritySettings } from './security-settings.js';

/** Where a coordinator listens, and where clients look for one, unless told otherwise. */
export const DEFAULT_COORDINATOR_ADDRESS = '127.0.0.1:7443';

/** Configuration of `shardex coordinator`. */
export interface CoordinatorSettings extends CoordinatorSecuritySettings {
  /** HOST:PORT of the gRPC services. */
  readonly listen: string;
  /** Listen beyond this machine although nothing is encrypted or nobody authenticated. */
  readonly allowInsecure: boolean;
  /** Port of metrics and health checks; null: none. */
  readonly metricsPort: number | null;
  /** Folder where jobs outlive the coordinator; null: they do not. */
  readonly state: string | null;
  /** A task whose worker is silent this long goes elsewhere. */
  readonly leaseMs: number;
  /** Attempts a task gets before its job fails. */
  readonly maxAttempts: number;
  /** A task that takes longer is halved, or tried again; 0: no limit. */
  readonly taskTimeoutMs: number;
  /** Memory that a task is cut for at most, in bytes. */
  readonly taskMemory: number;
  /** Nonzeros that a task is cut for, where memory allows; null: by the number of workers. */
  readonly taskNonzeros: number | null;
  readonly logLevel: LogLevel;
  /** Base address of a collector of traces; null: what the OTEL_… variables say. */
  readonly otlpEndpoint: string | null;
}

function parseSwitch(text: string, source: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new InvalidInputError(`${source} "${text}" is neither true nor false`, { hint: 'write true or false' });
}

/** Its lock and its journal need a file system. */
function parseFolder(text: string, source: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  throw new InvalidInputError(`${source} "${text}" is no folder`, {
    hint: 'name a folder of this machine or a shared one',
  });
}

export const COORDINATOR_SETTING_SPECS: SettingSpecs<CoordinatorSettings> = {
  listen: { otherwise: DEFAULT_COORDINATOR_ADDRESS, parse: parseAddress },
  ...COORDINATOR_SECURITY_SPECS,
  allowInsecure: { otherwise: false, parse: parseSwitch },
  metricsPort: { otherwise: null, parse: (text, source) => parseWholeNumber(text, source, 0, 65_535) },
  state: { otherwise: null, parse: parseFolder },
  leaseMs: { otherwise: 30_000, parse: (text, source) => parseWholeNumber(text, source, 100) },
  maxAttempts: { otherwise: 4, parse: (text, source) => parseWholeNumber(text, source, 1, 100) },
  taskTimeoutMs: { otherwise: 3_600_000, parse: (text, source) => parseWholeNumber(text, source, 0) },
  taskMemory: { otherwise: 2 * 2 ** 30, parse: parseMemorySize },
  taskNonzeros: { otherwise: null, parse: (text, source) => parseWholeNumber(text, source, 1) },
  logLevel: { otherwise: 'info', parse: (text, source) => parseChoice(text, LOG_LEVELS, source, 'level') },
  otlpEndpoint: { otherwise: null, parse: parseHttpAddress },
};
