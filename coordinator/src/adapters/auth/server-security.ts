import { ServerCredentials } from '@grpc/grpc-js';
import { InvalidInputError, toShardexError } from '@shardex/shared/errors';
import { isLoopback, makeSecureContext, secureContextOptions, WatchedFiles } from '@shardex/shared/rpc';
import type { Logger } from '@shardex/shared/telemetry';
import type { Clock } from '../clock.js';
import { TokenList } from './token-list.js';

/** How a coordinator protects itself. All of it names files, which are read again when they change. */
export interface SecuritySettings {
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** Authorities that sign certificates of workers and clients; null: certificates of callers mean nothing. */
  readonly tlsCa: string | null;
  /** Tokens, one a line; null: none. */
  readonly tokens: string | null;
  /** A token for everything that only this process and those it starts know; in place of `tokens`. */
  readonly secret?: string;
}

export const NO_SECURITY: SecuritySettings = { tlsCert: null, tlsKey: null, tlsCa: null, tokens: null };

/** How often files are looked at: they are small, and a change need not wait for long. */
const LOOK_AGAIN_MS = 2_000;

/**
 * What stands at the door of a running coordinator. A file that is wrong when it changes is logged, and what was before
 * stays in force.
 */
export class ServerSecurity {
  readonly credentials: ServerCredentials;
  #tokens: TokenList | null = null;
  readonly #looks: (() => void)[] = [];
  #stopLooking = (): void => undefined;

  /** @throws InvalidInputError when a file cannot be read or used, or a setting lacks its other half */
  constructor(
    private readonly settings: SecuritySettings,
    private readonly logger: Logger,
  ) {
    const { tlsCert, tlsKey, tlsCa, tokens } = settings;
    if ((tlsCert === null) !== (tlsKey === null)) {
      throw new InvalidInputError('a certificate and its key belong together', {
        hint: 'give --tls-cert and --tls-key',
      });
    }
    if (tlsCert === null || tlsKey === null) {
      if (tlsCa !== null) {
        throw new InvalidInputError('certificates of callers need encryption', {
          hint: 'add --tls-cert and --tls-key',
        });
      }
      this.credentials = ServerCredentials.createInsecure();
    } else {
      const paths = { cert: tlsCert, key: tlsKey, ...(tlsCa === null ? {} : { ca: tlsCa }) };
      const files = new WatchedFiles<'ca' | 'cert' | 'key'>(paths as Record<'ca' | 'cert' | 'key', string>);
      const credentials = new ChangingCredentials(files);
      this.#watch(files, 'certificates', () => credentials.update());
      this.credentials = credentials;
    }
    if (settings.secret !== undefined) this.#tokens = TokenList.of(settings.secret);
    if (tokens !== null) {
      const file = new WatchedFiles({ tokens });
      const read = (): void => {
        this.#tokens = TokenList.parse(file.contents.tokens.toString('utf8'), tokens);
      };
      read();
      this.#watch(file, 'tokens', read);
    }
  }

  /** Whether callers have to say who they are. */
  get isGuarded(): boolean {
    return this.trustsCertificates || this.#tokens !== null;
  }

  get trustsCertificates(): boolean {
    return this.settings.tlsCa !== null;
  }

  get isEncrypted(): boolean {
    return this.settings.tlsCert !== null;
  }

  get tokens(): TokenList | null {
    return this.#tokens;
  }

  /**
   * @throws InvalidInputError when anybody on the network could run jobs here, or read along
   */
  requireSafeAt(host: string, allowInsecure: boolean): void {
    if (isLoopback(host) || allowInsecure || (this.isEncrypted && this.isGuarded)) return;
    const lacking = this.isEncrypted
      ? 'authentication'
      : this.isGuarded
        ? 'encryption'
        : 'authentication or encryption';
    throw new InvalidInputError(`the coordinator would listen at ${host}, beyond this machine, without ${lacking}`, {
      hint: 'listen at 127.0.0.1, give --tls-cert and --tls-key with --tls-ca or --tokens, or allow it explicitly on a network that you trust (--allow-insecure)',
    });
  }

  /** From now on files are read again when they change, until `close`. */
  watch(clock: Clock): void {
    this.#stopLooking = clock.every(LOOK_AGAIN_MS, () => {
      for (const look of this.#looks) look();
    });
  }

  close(): void {
    this.#stopLooking();
  }

  #watch<Name extends string>(files: WatchedFiles<Name>, what: string, use: () => void): void {
    let complaint = '';
    this.#looks.push(() => {
      try {
        if (!files.refresh()) return;
        use();
        complaint = '';
        this.logger.info(`${what} were read again`, { what });
      } catch (error) {
        const { sentence } = toShardexError(error, `reading ${what} again`);
        // Until it is put right, once is enough.
        if (sentence !== complaint) this.logger.warn(`${what} stay as they were`, { what, why: sentence });
        complaint = sentence;
      }
    });
  }
}

/**
 * Certificates that may change while the server runs. Callers without a certificate of ours come as far as the gate, which
 * tells them what is missing, or finds their token; a handshake that fails tells nobody anything.
 */
class ChangingCredentials extends ServerCredentials {
  constructor(private readonly files: WatchedFiles<'ca' | 'cert' | 'key'>) {
    makeSecureContext(files.contents, Object.values(files.paths));
    super(
      { requestCert: files.contents.ca !== undefined, rejectUnauthorized: false },
      secureContextOptions(files.contents),
    );
  }

  update(): void {
    makeSecureContext(this.files.contents, Object.values(this.files.paths));
    this.updateSecureContextOptions(secureContextOptions(this.files.contents));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
