import { Client, Metadata, type CallOptions, type ServiceError } from '@grpc/grpc-js';
import { CancelledError } from '../errors/index.js';
import {
  decodeMessage,
  encodeMessage,
  methodPath,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  type ServerStreamMethod,
  type UnaryMethod,
} from '@shardex/proto';
import { CHANNEL_OPTIONS, METHOD_DEADLINES_MS, quietGrpc, serverName } from './channel-options.js';
import { PLAINTEXT, type ChannelSecurity } from './channel-security.js';
import { fromStatus } from './error-status.js';

export interface CallSettings {
  /** Milliseconds from now; null: no deadline. Default: the method's own, `METHOD_DEADLINES_MS`. */
  readonly deadlineMs?: number | null;
  readonly signal?: AbortSignal;
}

/** A connection to one coordinator. It connects on first use and again after every loss; `close` ends it for good. */
export interface RpcClient {
  readonly address: string;
  /** Connected with the certificates as they are now. */
  readonly grpc: Client;
  /** What goes with every call: the bearer token, if there is one. */
  metadata(): Metadata;
  close(): void;
}

/** Certificates and tokens are looked at again at most so often. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Certificates that change are used from the next call on; calls under way end on the connection where they began.
 *
 * @param address - `HOST:PORT`
 * @param security - default: none, so it belongs on loopback or on a trusted network
 */
export function connectRpc(address: string, security: ChannelSecurity = PLAINTEXT): RpcClient {
  quietGrpc();
  const connect = (): Client =>
    new Client(address, security.credentials(), { ...CHANNEL_OPTIONS, ...serverName(address) });
  let current = connect();
  let lookedMs = performance.now();
  let isClosed = false;
  return {
    address,
    get grpc() {
      const nowMs = performance.now();
      if (isClosed || nowMs - lookedMs < LOOK_AGAIN_MS) return current;
      lookedMs = nowMs;
      if (security.hasChanged()) {
        current.close();
        current = connect();
      }
      return current;
    },
    metadata: () => {
      const metadata = new Metadata();
      const token = security.token();
      if (token !== null) metadata.set('authorization', `Bearer ${token}`);
      return metadata;
    },
    close: () => {
      isClosed = true;
      current.close();
    },
  };
}

/**
 * Calls a method with one request and one answer.
 *
 * @throws the peer's `ShardexError` with its tag, hint and details; `DeadlineExceeded`; `Cancelled` when `signal` fires;
 *   `StorageUnavailable` when nobody answers at the address
 */
export function unaryCall<I extends DescMessage, O extends DescMessage>(
  client: RpcClient,
  method: UnaryMethod<I, O>,
  request: MessageInitShape<I>,
  settings: CallSettings = {},
): Promise<MessageShape<O>> {
  const name = `${method.name} at ${client.address}`;
  return new Promise((resolve, reject) => {
    const { signal } = settings;
    if (signal?.aborted === true) {
      reject(new CancelledError(`${name}: cancelled before it began`));
      return;
    }
    const call = client.grpc.makeUnaryRequest<MessageInitShape<I>, MessageShape<O>>(
      methodPath(method),
      (message) => encodeMessage<I>(method.input, message),
      (bytes) => decodeMessage<O>(method.output, bytes),
      request,
      client.metadata(),
      callOptions(method.name, settings),
      (error, answer) => {
        signal?.removeEventListener('abort', cancel);
        if (error !== null) reject(fromStatus(error, name));
        else resolve(answer as MessageShape<O>);
      },
    );
    // One turn later: grpc-js 1.14 forgets to reset a stream that is cancelled in the turn in which it was opened, and the
    // other side would go on waiting for nobody.
    const cancel = (): void => void setImmediate(() => call.cancel());
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

/**
 * Calls a method that answers with a stream. Leaving the loop early cancels the call.
 *
 * @throws as `unaryCall`, from the iteration
 */
export async function* streamCall<I extends DescMessage, O extends DescMessage>(
  client: RpcClient,
  method: ServerStreamMethod<I, O>,
  request: MessageInitShape<I>,
  settings: CallSettings = {},
): AsyncGenerator<MessageShape<O>, void, undefined> {
  const name = `${method.name} at ${client.address}`;
  const { signal } = settings;
  if (signal?.aborted === true) throw new CancelledError(`${name}: cancelled before it began`);
  const call = client.grpc.makeServerStreamRequest<MessageInitShape<I>, MessageShape<O>>(
    methodPath(method),
    (message) => encodeMessage<I>(method.input, message),
    (bytes) => decodeMessage<O>(method.output, bytes),
    request,
    client.metadata(),
    callOptions(method.name, settings),
  );
  const cancel = (): void => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const message of call) yield message as MessageShape<O>;
  } catch (error) {
    throw isServiceError(error) ? fromStatus(error, name) : error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    // The status of a call that is cancelled here has no reader any more; without a listener it would be thrown.
    call.on('error', () => undefined);
    call.cancel();
  }
}

function callOptions(methodName: string, settings: CallSettings): CallOptions {
  const deadlineMs =
    settings.deadlineMs === undefined ? (METHOD_DEADLINES_MS[methodName] ?? null) : settings.deadlineMs;
  return deadlineMs === null ? {} : { deadline: Date.now() + deadlineMs };
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
