import type { PeerCertificate } from 'node:tls';
import { ServerInterceptingCall, status, type Metadata, type ServerInterceptor } from '@grpc/grpc-js';
import { InvalidInputError, ResourceExhaustedError } from '@shardex/shared/errors';
import { CALLER_KEY, CALLER_RIGHTS_KEY, toStatus } from '@shardex/shared/rpc';
import type { Logger } from '@shardex/shared/telemetry';
import { callerOfCertificate } from './certificate-caller.js';
import { permissionFor, PERMISSIONS, type Caller, type Permission } from './permissions.js';
import type { RateLimiter } from './rate-limiter.js';
import type { ServerSecurity } from './server-security.js';

/** Where nobody is asked: loopback, or a network that is trusted. */
const ANYBODY: Caller = { name: '', permissions: new Set(PERMISSIONS) };
const STRANGER: Caller = { name: '', permissions: new Set() };

/** Why a call may not pass. */
interface Refusal {
  readonly code: status.UNAUTHENTICATED | status.PERMISSION_DENIED | status.RESOURCE_EXHAUSTED;
  readonly error: InvalidInputError | ResourceExhaustedError;
}

/** Who comes in: finds out who calls, limits how often, and asks whether they may. */
export class Gate {
  constructor(
    private readonly security: ServerSecurity,
    private readonly limiter: RateLimiter,
    private readonly nowMs: () => number,
    private readonly logger: Logger,
  ) {}

  /** For every method of every service of the server. Handlers find the caller in their context. */
  interceptor(): ServerInterceptor {
    return ({ path }, call) =>
      new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, pass) => {
              const caller = this.#identify(metadata, call.getAuthContext().sslPeerCertificate);
              const refusal = this.#refusal(path, caller, call.getPeer());
              // Never what the peer itself sent under these names.
              metadata.set(CALLER_KEY, caller.name);
              metadata.set(CALLER_RIGHTS_KEY, [...caller.permissions].join(','));
              if (refusal === null) return pass(metadata);
              const { code, error } = refusal;
              this.logger.warn('a call was refused', { path, peer: call.getPeer(), why: error.message });
              call.sendStatus({ ...toStatus(error, path), code });
            },
          }),
      });
  }

  /**
   * For a request over HTTP, which may carry a token.
   *
   * @param authorization - the header of that name
   * @returns the status and sentence to answer with; null: it may pass
   */
  refuseHttp(
    permission: Permission,
    authorization: string | undefined,
    peer: string,
  ): { readonly status: 401 | 403 | 429; readonly sentence: string } | null {
    if (!this.limiter.take(peer)) return { status: 429, sentence: TOO_OFTEN };
    if (!this.security.isGuarded) return null;
    const caller = this.#bearer(authorization);
    if (caller === null) return { status: 401, sentence: 'show a token with the scope read' };
    if (caller.permissions.has(permission)) return null;
    return { status: 403, sentence: `${caller.name} has not the scope ${permission}` };
  }

  #identify(metadata: Metadata, certificate: PeerCertificate | undefined): Caller {
    if (!this.security.isGuarded) return ANYBODY;
    const authorization = metadata.get('authorization')[0];
    const bearer = this.#bearer(typeof authorization === 'string' ? authorization : undefined);
    const holder =
      certificate === undefined || !this.security.trustsCertificates
        ? null
        : callerOfCertificate(certificate, this.nowMs());
    if (bearer === null || holder === null) return bearer ?? holder ?? STRANGER;
    // A person on a machine: called by the person's name.
    return { name: bearer.name, permissions: new Set([...bearer.permissions, ...holder.permissions]) };
  }

  #bearer(authorization: string | undefined): Caller | null {
    const token = tokenOf(authorization ?? '');
    return token === null ? null : (this.security.tokens?.find(token) ?? null);
  }

  #refusal(path: string, caller: Caller, peer: string): Refusal | null {
    // Many workers share a machine, and each is one connection; of others all connections from one address count together.
    const limited = caller.permissions.has('work') ? peer : peer.replace(/:\d+$/, '');
    if (!this.limiter.take(limited)) {
      const error = new ResourceExhaustedError(TOO_OFTEN, { hint: 'wait a moment' });
      return { code: status.RESOURCE_EXHAUSTED, error };
    }
    const permission = permissionFor(path);
    if (permission === null || caller.permissions.has(permission)) return null;
    if (caller === STRANGER) {
      const error = new InvalidInputError('the coordinator does not know who calls', { hint: WHO });
      return { code: status.UNAUTHENTICATED, error };
    }
    const error = new InvalidInputError(`${caller.name} has not the right to ${permission}`, {
      hint: RIGHTS[permission],
    });
    return { code: status.PERMISSION_DENIED, error };
  }
}

/** The token of a header: of a program (Bearer), or the password a person typed into a browser (Basic). */
function tokenOf(authorization: string): string | null {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) (\S+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() !== 'basic') return value === '' ? null : value;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

const TOO_OFTEN = 'too many requests from this address';
const WHO =
  'show a certificate that it accepts and whose time is not over (--tls-cert, --tls-key), or a token (--token-file, SHARDEX_TOKEN)';
const RIGHTS: Readonly<Record<Permission, string>> = {
  read: 'use a token, or a certificate with OU=client',
  submit: 'use a token with the scope submit, or a certificate with OU=client',
  manage: 'use a token with the scope manage',
  work: 'use a certificate with OU=worker, or a token with the scope work',
};
