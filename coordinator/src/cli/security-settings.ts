import { parseList, parseName, parseWholeNumber, type SettingSpecs } from '@shardex/shared/config';

/** What a coordinator asks of callers and how far it lets them go. */
export interface CoordinatorSecuritySettings {
  /** Certificate of this coordinator; null: no encryption. */
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** Authorities that sign the certificates of workers and clients; null: certificates of callers mean nothing. */
  readonly tlsCa: string | null;
  /** File of hashed tokens; null: none. */
  readonly tokens: string | null;
  /** Folders and s3:// prefixes that jobs may read; null: all. */
  readonly allowInput: readonly string[] | null;
  /** Folders and s3:// prefixes that jobs may write to; null: all. */
  readonly allowOutput: readonly string[] | null;
  /** Jobs under way of one user at the same time. */
  readonly maxJobsPerUser: number;
  /** Requests of one peer; 0: no limit. */
  readonly maxRequestsPerSecond: number;
  /** Where metrics and health checks listen. */
  readonly metricsHost: string;
}

export const COORDINATOR_SECURITY_SPECS: SettingSpecs<CoordinatorSecuritySettings> = {
  tlsCert: { otherwise: null, parse: parseName },
  tlsKey: { otherwise: null, parse: parseName },
  tlsCa: { otherwise: null, parse: parseName },
  tokens: { otherwise: null, parse: parseName },
  allowInput: { otherwise: null, parse: parseList },
  allowOutput: { otherwise: null, parse: parseList },
  maxJobsPerUser: { otherwise: 100, parse: (text, source) => parseWholeNumber(text, source, 1) },
  // A worker of 64 threads with tasks of a second makes 128 calls a second.
  maxRequestsPerSecond: { otherwise: 500, parse: (text, source) => parseWholeNumber(text, source, 0) },
  metricsHost: { otherwise: '127.0.0.1', parse: parseName },
};
