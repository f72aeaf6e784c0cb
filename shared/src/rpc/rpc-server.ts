import { once } from 'node:events';
import type {
  Server,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  toServiceDefinition,
  type AnyService,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from '@shardex/proto';
import { toStatus } from './error-status.js';

export interface CallContext {
  /** Aborted when the client cancels, loses its connection or passes its deadline. */
  readonly signal: AbortSignal;
  /** As `ipv4:127.0.0.1:40112`. */
  readonly peer: string;
  /** Who calls, as the server's gate found; empty where there is none. */
  readonly caller: string;
  /** What the caller may do, in the gate's words; empty where there is none. */
  readonly callerRights: ReadonlySet<string>;
}

/** Where a server's gate writes who calls and what they may, for `CallContext`; it overwrites whatever the peer sent under these names. */
export const CALLER_KEY = 'shardex-caller';
export const CALLER_RIGHTS_KEY = 'shardex-caller-rights';

interface AnyMethod {
  readonly methodKind: string;
  readonly input: DescMessage;
  readonly output: DescMessage;
}

/** A method's implementation: a promise for one answer, an async iterable for a stream. Throwing sends the error's status. */
export type Handler<M extends AnyMethod> = M['methodKind'] extends 'server_streaming'
  ? (request: MessageShape<M['input']>, context: CallContext) => AsyncIterable<MessageInitShape<M['output']>>
  : (request: MessageShape<M['input']>, context: CallContext) => Promise<MessageInitShape<M['output']>>;

export type Handlers<S extends { readonly method: Record<string, AnyMethod> }> = {
  readonly [K in keyof S['method']]: Handler<S['method'][K]>;
};

/** Adds a generated service with typed handlers to a server. Only unary and server-streaming methods are in use here. */
export function serve<S extends AnyService & { readonly method: Record<string, AnyMethod> }>(
  server: Server,
  service: S,
  handlers: Handlers<S>,
): void {
  const implementation: UntypedServiceImplementation = {};
  for (const method of service.methods) {
    const handler = handlers[method.localName as keyof S['method']];
    implementation[method.localName] = (
      method.methodKind === 'server_streaming'
        ? streamHandler(method.name, handler as unknown as AnyStreamHandler)
        : unaryHandler(method.name, handler as unknown as AnyUnaryHandler)
    ) as UntypedHandleCall;
  }
  server.addService(toServiceDefinition(service), implementation);
}

type AnyUnaryHandler = (request: unknown, context: CallContext) => Promise<unknown>;
type AnyStreamHandler = (request: unknown, context: CallContext) => AsyncIterable<unknown>;

function unaryHandler(name: string, handler: AnyUnaryHandler) {
  return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    const { context, release } = contextOf(call);
    // Promise.resolve().then: a handler that throws before its first await is answered like one that rejects.
    Promise.resolve()
      .then(() => handler(call.request, context))
      .then(
        (response) => answer(null, response),
        (error: unknown) => answer(toStatus(error, name)),
      )
      .finally(release);
  };
}

function streamHandler(name: string, handler: AnyStreamHandler) {
  return (call: ServerWritableStream<unknown, unknown>): void => {
    const { context, release } = contextOf(call);
    pump(call, () => handler(call.request, context), context.signal)
      .then(
        () => call.end(),
        (error: unknown) => call.emit('error', toStatus(error, name)),
      )
      .finally(release);
  };
}

/** Writes a stream at the client's pace: a slow reader holds back the source instead of filling our memory. */
async function pump(
  call: ServerWritableStream<unknown, unknown>,
  source: () => AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of source()) {
    if (signal.aborted) return;
    if (!call.write(message)) {
      // A client that is gone never drains: the abort ends the wait.
      await once(call, 'drain', { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (signal.aborted) return;
    }
  }
}

function contextOf(call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>): {
  context: CallContext;
  release: () => void;
} {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  call.on('cancelled', abort);
  if (call.cancelled) abort();
  return {
    context: {
      signal: controller.signal,
      peer: call.getPeer(),
      caller: String(call.metadata.get(CALLER_KEY)[0] ?? ''),
      callerRights: new Set(String(call.metadata.get(CALLER_RIGHTS_KEY)[0] ?? '').split(',')),
    },
    release: () => call.removeListener('cancelled', abort),
  };
}
