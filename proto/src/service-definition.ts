import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** A generated service: `DescService` with its methods typed by name. */
export interface AnyService {
  readonly typeName: string;
  readonly methods: readonly DescMethod[];
}

/** Generated method of one kind; `I` and `O` are the schemas of its messages. */
export type MethodOf<
  Kind extends DescMethod['methodKind'],
  I extends DescMessage,
  O extends DescMessage,
> = DescMethod & {
  readonly methodKind: Kind;
  readonly input: I;
  readonly output: O;
};
export type UnaryMethod<I extends DescMessage, O extends DescMessage> = MethodOf<'unary', I, O>;
export type ServerStreamMethod<I extends DescMessage, O extends DescMessage> = MethodOf<'server_streaming', I, O>;

/** Path of a method on the wire, as `/shardex.v1.JobService/SubmitJob`. */
export const methodPath = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

/** Writes a message, or the plain object to make one from, as the bytes that grpc-js sends. */
export function encodeMessage<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Buffer {
  // `create` returns its argument when that is a message already, so nothing is copied twice.
  const bytes = toBinary(schema, create(schema, message));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function decodeMessage<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  return fromBinary(schema, bytes);
}

/** The whole bridge between protobuf-es and grpc-js: one method as grpc-js wants it. */
export function toMethodDefinition(method: DescMethod): MethodDefinition<unknown, unknown> {
  return {
    path: methodPath(method),
    originalName: method.localName,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: (message) => encodeMessage(method.input, message as MessageInitShape<DescMessage>),
    requestDeserialize: (bytes) => decodeMessage(method.input, bytes),
    responseSerialize: (message) => encodeMessage(method.output, message as MessageInitShape<DescMessage>),
    responseDeserialize: (bytes) => decodeMessage(method.output, bytes),
  };
}

/** A generated service as a grpc-js `ServiceDefinition`, for `server.addService`. */
export function toServiceDefinition(service: AnyService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, toMethodDefinition(method)]));
}
