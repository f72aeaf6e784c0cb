import { BinaryReader } from '@bufbuild/protobuf/wire';

/** How the value of a field lies on the wire, or the message in it. */
type Kind = 'text' | 'hex' | 'integer' | 'double' | 'fixed64' | 'fixed32' | Message;
interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly repeated?: true;
}
/** Fields by their numbers. */
type Message = ReadonlyMap<number, Field>;
type Decoded = Record<string, unknown>;

const message = (fields: Readonly<Record<number, readonly [name: string, kind: Kind, repeated?: true]>>): Message =>
  new Map(
    Object.entries(fields).map(([number, [name, kind, repeated]]) => [
      Number(number),
      { name, kind, ...(repeated === undefined ? {} : { repeated }) },
    ]),
  );

/**
 * What is looked at of a request for traces, with the names that its form in JSON has.
 *
 * @source opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto, version 1.9
 */
const VALUE = message({ 1: ['stringValue', 'text'], 3: ['intValue', 'integer'], 4: ['doubleValue', 'double'] });
const ATTRIBUTE = message({ 1: ['key', 'text'], 2: ['value', VALUE] });
const EVENT = message({ 2: ['name', 'text'], 3: ['attributes', ATTRIBUTE, true] });
const SPAN = message({
  1: ['traceId', 'hex'],
  2: ['spanId', 'hex'],
  4: ['parentSpanId', 'hex'],
  5: ['name', 'text'],
  6: ['kind', 'integer'],
  7: ['startTimeUnixNano', 'fixed64'],
  8: ['endTimeUnixNano', 'fixed64'],
  9: ['attributes', ATTRIBUTE, true],
  11: ['events', EVENT, true],
  15: ['status', message({ 3: ['code', 'integer'] })],
  16: ['flags', 'fixed32'],
});
const RESOURCE_SPANS = message({
  1: ['resource', message({ 1: ['attributes', ATTRIBUTE, true] })],
  2: ['scopeSpans', message({ 2: ['spans', SPAN, true] }), true],
});
const TRACES = message({ 1: ['resourceSpans', RESOURCE_SPANS, true] });

function read(reader: BinaryReader, kind: Kind): unknown {
  if (kind === 'text') return reader.string();
  if (kind === 'hex') return Buffer.from(reader.bytes()).toString('hex');
  if (kind === 'integer') return Number(reader.int64());
  if (kind === 'double') return reader.double();
  if (kind === 'fixed64') return String(reader.fixed64());
  if (kind === 'fixed32') return reader.fixed32();
  return decode(reader.bytes(), kind);
}

function decode(bytes: Uint8Array, fields: Message): Decoded {
  const reader = new BinaryReader(bytes);
  const decoded: Decoded = {};
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field === undefined) {
      reader.skip(wireType);
      continue;
    }
    const value = read(reader, field.kind);
    if (field.repeated === true) ((decoded[field.name] ??= []) as unknown[]).push(value);
    else decoded[field.name] = value;
  }
  return decoded;
}

/** A request for traces as its form in JSON would have it; written from the specification, not by the library that encodes. */
export const decodeTraces = (body: Uint8Array): unknown => decode(body, TRACES);
