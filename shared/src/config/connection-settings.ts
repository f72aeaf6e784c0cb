import { parseName } from './option-values.js';
import type { SettingSpecs } from './resolve-settings.js';

/**
 * How a worker or a client reaches a coordinator that asks who is there. All of it names files: a secret is never part of a
 * command line or of a configuration file.
 */
export interface ConnectionSettings {
  /** Certificates of the authorities that may have signed the coordinator's; null: no encryption. */
  readonly tlsCa: string | null;
  /** This side's certificate, whose OU says what it may do: `worker` or `client`. */
  readonly tlsCert: string | null;
  /** Private key of `tlsCert`. */
  readonly tlsKey: string | null;
  /** File whose content is the bearer token; null: `SHARDEX_TOKEN`, or none. */
  readonly tokenFile: string | null;
}

export const CONNECTION_SETTING_SPECS: SettingSpecs<ConnectionSettings> = {
  tlsCa: { otherwise: null, parse: parseName },
  tlsCert: { otherwise: null, parse: parseName },
  tlsKey: { otherwise: null, parse: parseName },
  tokenFile: { otherwise: null, parse: parseName },
};

/** The one secret that a variable may hold. */
export const TOKEN_VARIABLE = 'SHARDEX_TOKEN';
