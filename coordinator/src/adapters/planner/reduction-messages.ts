import type { ErrorDetails, ErrorTag } from '@shardex/shared/errors';
import type { JobHistory } from '../../domain/index.js';
import type { LockToken } from '../lock/index.js';

/** The stages that run on the coordinator. */
export const REDUCTIONS = ['gene-means', 'size-factors', 'trend', 'shrink-prior', 'merge'] as const;
export type ReductionStage = (typeof REDUCTIONS)[number];

/** A job's scratch, by value. */
interface ScratchOrder {
  readonly scratchUri: string;
  readonly outputs: Readonly<Record<string, readonly string[]>>;
}

/** One reduction, by value. */
export interface ReductionOrder extends ScratchOrder {
  readonly stage: ReductionStage;
  readonly history: JobHistory;
  /** Of the output folder: looked at once more before results are put into it. */
  readonly lock: LockToken;
  /** One Int32: 1 asks the thread to stop. */
  readonly cancelFlag: SharedArrayBuffer;
}

/** What a thread is asked to do. */
export type ReductionRequest =
  | { readonly kind: 'reduce'; readonly order: ReductionOrder }
  /** Begin the results of a job whose fits are about to run; its merge comes to the same thread. */
  | { readonly kind: 'begin-results'; readonly order: ScratchOrder }
  /** Write the rows of a fit output that is committed. */
  | { readonly kind: 'add-results'; readonly fitOutput: string }
  /** Remove the results that were begun. */
  | { readonly kind: 'drop-results' }
  /** End, once nothing is being loaded; sent to a thread that has nothing to do. */
  | { readonly kind: 'end' };

export type ReductionMessage =
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'done'; readonly warnings: readonly string[] }
  | { readonly kind: 'results-dropped' }
  /** The results that were begun are no more, by themselves: their merge will write them all. */
  | { readonly kind: 'results-given-up'; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly tag: ErrorTag;
      readonly message: string;
      readonly hint: string;
      readonly details: ErrorDetails;
      readonly stack: string;
    };
