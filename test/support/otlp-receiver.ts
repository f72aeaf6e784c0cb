import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeTraces } from './otlp-protobuf.js';

type Value = string | number | boolean;

/** A span as a collector gets it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** '' at the root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly resource: Readonly<Record<string, Value>>;
  /** Of the parent: whether another process made it. */
  readonly isParentRemote: boolean;
  /** 2: error. */
  readonly status: number;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, Value>> }[];
}

/** What a collector of traces was sent. */
export interface OtlpReceiver {
  /** Base address. */
  readonly endpoint: string;
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }[];
  readonly spans: readonly ReceivedSpan[];
  close(): Promise<void>;
}

interface WireAttribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number };
}
interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly flags: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly WireAttribute[];
  readonly status?: { readonly code?: number };
  readonly events?: readonly { readonly name: string; readonly attributes?: readonly WireAttribute[] }[];
}
interface WireTraces {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly WireAttribute[] };
    readonly scopeSpans?: readonly { readonly spans?: readonly WireSpan[] }[];
  }[];
}

function valuesOf(attributes: readonly WireAttribute[] = []): Record<string, Value> {
  const value = ({ stringValue, intValue, doubleValue }: WireAttribute['value']): Value =>
    stringValue ?? (intValue === undefined ? (doubleValue ?? '') : Number(intValue));
  return Object.fromEntries(attributes.map((one) => [one.key, value(one.value)]));
}

const milliseconds = (nanoseconds: string): number => Number(BigInt(nanoseconds) / 1_000_000n);

/** SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK of trace.proto, of which the lower bit says whether the higher is known. */
const REMOTE = 0x300;

/** Spans of OTLP's JSON. */
export const parseSpans = (text: string): ReceivedSpan[] => spansOf(JSON.parse(text) as WireTraces);

function spansOf({ resourceSpans = [] }: WireTraces): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) =>
      spans.map((span) => ({
        ...span,
        parentSpanId: span.parentSpanId ?? '',
        isParentRemote: (span.flags & REMOTE) === REMOTE,
        startMs: milliseconds(span.startTimeUnixNano),
        endMs: milliseconds(span.endTimeUnixNano),
        attributes: valuesOf(span.attributes),
        resource: valuesOf(resource?.attributes),
        status: span.status?.code ?? 0,
        events: (span.events ?? []).map(({ name, attributes }) => ({ name, attributes: valuesOf(attributes) })),
      })),
    ),
  );
}

/** A collector of OTLP over HTTP on loopback. @param answers - `never`: it takes requests and leaves them at that */
export async function startOtlpReceiver(answers: 'at once' | 'never' = 'at once'): Promise<OtlpReceiver> {
  const requests: OtlpReceiver['requests'][number][] = [];
  const spans: ReceivedSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      requests.push({ path: request.url ?? '', headers: request.headers, body });
      const isJson = request.headers['content-type'] === 'application/json';
      spans.push(...(isJson ? parseSpans(body.toString('utf8')) : spansOf(decodeTraces(body) as WireTraces)));
      if (answers === 'at once') response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
