import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checksumOf, S3Objects, S3Refusal, type StoredObject } from './s3-server-objects.js';
import { signatureProblem, type S3Credentials } from './s3-server-signature.js';

/** What can go wrong with a request: an error, a torn connection before or after the work, a cut or a silent body, a wait. */
export type FaultKind = 'internal-error' | 'slow-down' | 'reset' | 'lost-answer' | 'truncate' | 'stall' | 'wait';

/** How long a request waits. */
const WAIT_MS = 500;

export interface Fault {
  readonly kind: FaultKind;
  /** How often it strikes. */
  readonly times: number;
  readonly matches?: (request: SeenRequest) => boolean;
}

export interface SeenRequest {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

export interface S3TestServer {
  readonly endpoint: string;
  /** Settings under which a process finds it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly objects: S3Objects;
  readonly seen: SeenRequest[];
  /** Adds a fault; how often it struck is told by the function that is returned. */
  inject(fault: Fault): () => number;
  /** From here on nothing goes wrong. */
  heal(): void;
  close(): Promise<void>;
}

export interface S3ServerOptions {
  /** Keys of one page of a list. */
  readonly pageKeys?: number;
  /** Accept requests without a signature. */
  readonly isPublic?: boolean;
}

export const TEST_CREDENTIALS: S3Credentials = {
  accessKeyId: 'AKIATESTTESTTESTTEST',
  secretAccessKey: 'secret/of+the/test/server',
  region: 'eu-test-1',
};

interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | string;
}

/** A small S3 in this process: signatures are verified, ETags and checksums are real, faults can be injected. */
export async function startS3Server(
  buckets: readonly string[],
  { pageKeys = 1000, isPublic = false }: S3ServerOptions = {},
): Promise<S3TestServer> {
  const objects = new S3Objects();
  for (const name of buckets) objects.buckets.set(name, new Map());
  const seen: SeenRequest[] = [];
  const faults: { readonly fault: Fault; struck: number }[] = [];

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const url = new URL(request.url ?? '', 'http://host');
    const [bucket, ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    const about: SeenRequest = {
      method: request.method ?? '',
      bucket,
      key: rest.join('/'),
      query: url.searchParams,
      headers: request.headers,
    };
    seen.push(about);
    const fault = faults.find((each) => each.struck < each.fault.times && (each.fault.matches?.(about) ?? true));
    if (fault !== undefined) fault.struck++;
    const kind = fault?.fault.kind;
    if (kind === 'wait') await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    if (kind === 'reset') return void request.socket.destroy();
    if (kind === 'internal-error') return send(response, refusal(new S3Refusal(500, 'InternalError')), about);
    if (kind === 'slow-down') return send(response, refusal(new S3Refusal(503, 'SlowDown')), about);
    let answer: Answer;
    try {
      const problem = isPublic ? null : signatureProblem(request, body, TEST_CREDENTIALS);
      if (problem !== null) throw new S3Refusal(403, problem);
      const claimed = request.headers['x-amz-checksum-crc32'];
      if (claimed !== undefined && claimed !== checksumOf(body)) throw new S3Refusal(400, 'BadDigest');
      answer = answerTo(objects, about, body, pageKeys);
    } catch (error) {
      if (!(error instanceof S3Refusal)) throw error;
      answer = refusal(error);
    }
    if (kind === 'lost-answer') return void request.socket.destroy();
    if (kind === 'truncate' || kind === 'stall') {
      const whole = Buffer.from(answer.body ?? '');
      response.writeHead(answer.status, { ...answer.headers, 'content-length': whole.length });
      response.write(whole.subarray(0, whole.length >> 1), () => {
        if (kind === 'truncate') request.socket.destroy();
      });
      return;
    }
    send(response, answer, about);
  };

  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    environment: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: TEST_CREDENTIALS.region,
      AWS_ACCESS_KEY_ID: TEST_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: TEST_CREDENTIALS.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    objects,
    seen,
    inject(fault) {
      const entry = { fault, struck: 0 };
      faults.push(entry);
      return () => entry.struck;
    },
    heal() {
      faults.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const refusal = ({ status, code }: S3Refusal): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<Error><Code>${code}</Code><Message>${code}</Message><AWSAccessKeyId>${TEST_CREDENTIALS.accessKeyId}</AWSAccessKeyId></Error>`,
});

function send(response: ServerResponse, answer: Answer, { method }: SeenRequest): void {
  const body = Buffer.from(answer.body ?? '');
  const headers = { 'x-amz-request-id': 'TEST', 'content-length': body.length, ...answer.headers };
  response.writeHead(answer.status, headers);
  response.end(method === 'HEAD' ? undefined : body);
}

const xml = (text: string): Answer => ({ status: 200, headers: { 'content-type': 'application/xml' }, body: text });
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');

function answerTo(objects: S3Objects, about: SeenRequest, body: Buffer, pageKeys: number): Answer {
  const { method, bucket, key, query } = about;
  const has = (name: string): boolean => query.has(name);
  if (key === '') {
    if (method === 'GET' && has('uploads')) return listUploads(objects, bucket, query);
    if (method === 'GET') return listObjects(objects, bucket, query, pageKeys);
    if (method === 'POST' && has('delete')) return removeObjects(objects, bucket, body.toString());
    throw new S3Refusal(405, 'MethodNotAllowed');
  }
  if (method === 'GET' || method === 'HEAD') return getObject(objects.get(bucket, key), about);
  if (method === 'PUT' && has('uploadId')) {
    const part = objects.addPart(query.get('uploadId') ?? '', Number(query.get('partNumber')), body);
    return { status: 200, headers: { etag: part.etag, 'x-amz-checksum-crc32': part.checksum } };
  }
  if (method === 'PUT') return putObject(objects, about, body);
  if (method === 'POST' && has('uploads')) {
    const id = objects.begin(bucket, key, metadataOf(about));
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }
  if (method === 'POST' && has('uploadId')) {
    const { etag } = objects.complete(query.get('uploadId') ?? '', partsIn(body.toString()));
    return xml(`<CompleteMultipartUploadResult><ETag>${escaped(etag)}</ETag></CompleteMultipartUploadResult>`);
  }
  if (method === 'DELETE' && has('uploadId')) {
    objects.abort(query.get('uploadId') ?? '');
    return { status: 204 };
  }
  throw new S3Refusal(405, 'MethodNotAllowed');
}

const metadataOf = ({ headers }: SeenRequest): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => metadataEntry(name, value)));

const metadataEntry = (name: string, value: string | string[] | undefined): [string, string][] =>
  name.startsWith('x-amz-meta-') ? [[name, String(value)]] : [];

function getObject({ bytes, etag, metadata, writtenMs }: StoredObject, { headers }: SeenRequest): Answer {
  if (headers['if-match'] !== undefined && headers['if-match'] !== etag) throw new S3Refusal(412, 'PreconditionFailed');
  const common = {
    etag,
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    'last-modified': new Date(writtenMs).toUTCString(),
    ...metadata,
  };
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  if (first === undefined) return { status: 200, headers: common, body: bytes };
  if (Number(first) >= bytes.length) throw new S3Refusal(416, 'InvalidRange');
  const end = Math.min(Number(last) + 1, bytes.length);
  const range = `bytes ${first}-${end - 1}/${bytes.length}`;
  return { status: 206, headers: { ...common, 'content-range': range }, body: bytes.subarray(Number(first), end) };
}

function putObject(objects: S3Objects, about: SeenRequest, body: Buffer): Answer {
  const { bucket, key, headers } = about;
  const existing = objects.bucket(bucket).get(key);
  if (headers['if-none-match'] === '*' && existing !== undefined) throw new S3Refusal(412, 'PreconditionFailed');
  const wanted = headers['if-match'];
  if (wanted !== undefined && wanted !== existing?.etag) throw new S3Refusal(412, 'PreconditionFailed');
  return { status: 200, headers: { etag: objects.put(bucket, key, body, metadataOf(about)).etag } };
}

function listObjects(objects: S3Objects, bucket: string, query: URLSearchParams, pageKeys: number): Answer {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? '';
  const keys = [...objects.bucket(bucket).keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, pageKeys);
  const isCut = keys.length > page.length;
  const contents = page.map((key) => `<Contents><Key>${escaped(key)}</Key></Contents>`).join('');
  const next = isCut ? `<NextContinuationToken>${escaped(page.at(-1) ?? '')}</NextContinuationToken>` : '';
  return xml(`<ListBucketResult><IsTruncated>${isCut}</IsTruncated>${next}${contents}</ListBucketResult>`);
}

function listUploads(objects: S3Objects, bucket: string, query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? '';
  const uploads = [...objects.uploads]
    .filter(([, upload]) => upload.bucket === bucket && upload.key.startsWith(prefix))
    .map(([id, { key }]) => `<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId></Upload>`);
  return xml(`<ListMultipartUploadsResult>${uploads.join('')}</ListMultipartUploadsResult>`);
}

function removeObjects(objects: S3Objects, bucket: string, text: string): Answer {
  for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) objects.bucket(bucket).delete(unescaped(key));
  return xml('<DeleteResult></DeleteResult>');
}

const partsIn = (text: string): [number, string, string | undefined][] =>
  [...text.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part]) => {
    const field = (name: string): string | undefined => new RegExp(`<${name}>([^<]*)</${name}>`).exec(part)?.[1];
    return [Number(field('PartNumber')), unescaped(field('ETag') ?? ''), field('ChecksumCRC32')];
  });
