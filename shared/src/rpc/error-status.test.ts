import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { ERROR_POLICIES, InvalidInputError, type ErrorTag } from '../errors/index.js';
import { errorOfTag, fromStatus, statusOfTag, toStatus } from './error-status.js';

const asReceived = (sent: ReturnType<typeof toStatus>): ServiceError =>
  Object.assign(new Error(`${sent.code}: ${sent.details}`), sent);

describe('errors that cross the wire', () => {
  it('arrive with tag, message, hint and details, whatever their family', () => {
    for (const tag of Object.keys(ERROR_POLICIES) as ErrorTag[]) {
      const error = errorOfTag(tag, 'chunk 3 of µ.h5ad is damaged', {
        hint: 'copy the file again',
        details: { path: 'µ.h5ad', chunk: 3, whole: false, size: null },
      });
      const received = fromStatus(asReceived(toStatus(error, 'testing')), 'GetJob at here');
      expect(received).toMatchObject({ tag, message: error.message, hint: error.hint, details: error.details });
      expect(received.constructor).toBe(error.constructor);
    }
  });

  it('have a code of their own each', () => {
    const tags = Object.keys(ERROR_POLICIES) as ErrorTag[];
    expect(new Set(tags.map(statusOfTag)).size).toBe(tags.length);
    expect(statusOfTag('InvalidInput')).toBe(status.INVALID_ARGUMENT);
  });

  it('carry the sentence for clients that know only gRPC', () => {
    const sent = toStatus(new InvalidInputError('no column "guide"', { hint: 'choose one of a, b' }), 'testing');
    expect(sent.details).toBe('no column "guide": choose one of a, b');
    expect(sent.metadata.get('shardex-tag')).toEqual(['InvalidInput']);
  });

  it('stay small enough for trailers', () => {
    const details = { story: 'x'.repeat(100_000) };
    const sent = toStatus(new InvalidInputError('y'.repeat(100_000), { details }), 'testing');
    const bytes = sent.metadata
      .get('shardex-error-bin')
      .reduce((sum, value) => sum + value.length, sent.details.length);
    expect(bytes).toBeLessThan(8_000);
    expect(fromStatus(asReceived(sent), 'GetJob').details).toEqual({ detailsLeftOut: true });
  });

  it('that are not ours become broken invariants with what was being done', () => {
    const received = fromStatus(asReceived(toStatus(new RangeError('too far'), 'SubmitJob')), 'SubmitJob');
    expect(received).toMatchObject({ tag: 'InvariantBroken', message: 'SubmitJob: too far' });
  });

  it('with an unknown tag keep its name', () => {
    expect(errorOfTag('Novel', 'text')).toMatchObject({ tag: 'InvariantBroken', details: { unknownTag: 'Novel' } });
  });

  it('made by gRPC itself mean something to the caller', () => {
    const bare = (code: status): ServiceError =>
      Object.assign(new Error('x'), { code, details: 'why', metadata: new Metadata() });
    const tagOf = (code: status): string => fromStatus(bare(code), 'call').tag;
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED, status.UNIMPLEMENTED].map(tagOf)).toEqual([
      'StorageUnavailable',
      'DeadlineExceeded',
      'Cancelled',
      'UnsupportedData',
    ]);
    expect([status.RESOURCE_EXHAUSTED, status.INVALID_ARGUMENT, status.UNKNOWN].map(tagOf)).toEqual([
      'ResourceExhausted',
      'InvalidInput',
      'InvariantBroken',
    ]);
  });

  it('with a trailer that is not ours are read by their code', () => {
    const metadata = new Metadata();
    metadata.set('shardex-error-bin', Buffer.from('not json'));
    const error = Object.assign(new Error('x'), { code: status.CANCELLED, details: '', metadata });
    expect(fromStatus(error, 'call').tag).toBe('Cancelled');
  });
});
