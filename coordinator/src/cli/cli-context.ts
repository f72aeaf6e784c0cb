import type { DeParameters, ExistingOutputChoice } from '@shardex/shared/config';
import type { ChannelSecurity } from '@shardex/shared/rpc';
import type { PlanCluster, PlanSummary } from '../domain/index.js';
import type { CoordinatorClient } from './coordinator-client.js';
import type { CoordinatorSettings } from './coordinator-settings.js';
import type { JobUpdate } from './progress/job-view.js';

/** One of the two streams a command writes to. */
export interface CliOutput {
  /** Whether a person reads along: decides on bars and colours. */
  readonly isTerminal: boolean;
  /** Characters a line of the terminal holds. */
  readonly columns: number;
  /** Whether colours and other escape sequences may be written. */
  readonly hasColour: boolean;
  write(text: string): void;
  /** Writes and waits until the reader has taken it: for output too long to be held in memory. */
  flush(text: string): Promise<void>;
}

/** How an embedded cluster runs. */
export interface EmbeddedRun {
  readonly workers: number;
  /** Of each worker. */
  readonly memoryBytes: number;
  readonly existingOutput: ExistingOutputChoice;
  /** Base address of a collector of traces; null: what the OTEL_… variables say. */
  readonly otlpEndpoint?: string | null;
}

export interface SimulateOptions {
  readonly output: string;
  readonly cells: number;
  readonly genes: number;
  readonly perturbations: number;
  readonly controlFraction: number;
  /** Mean counts of a cell. */
  readonly depth: number;
  readonly batches: number;
  readonly seed: number;
}

/** What commands ask of the rest of the product; `main.ts` provides it, tests replace it. */
export interface CliServices {
  planJob(parameters: DeParameters, cluster: PlanCluster): Promise<PlanSummary>;
  /** Settles when the job has ended; rejects with the job's error when it failed or was cancelled. */
  runEmbedded(
    parameters: DeParameters,
    run: EmbeddedRun,
    onUpdate: (update: JobUpdate) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Serves until `signal` fires. */
  serve(settings: CoordinatorSettings, signal: AbortSignal): Promise<void>;
  connect(address: string, security: ChannelSecurity): CoordinatorClient;
  /** A results folder as one HTML file, with plots of so many perturbations for each test. */
  buildReport(folder: string, perturbations: number): Promise<string>;
}

/** The world as a command sees it. */
export interface CliContext {
  readonly version: string;
  /** What was asked for. */
  readonly stdout: CliOutput;
  /** Progress, notes and errors. */
  readonly stderr: CliOutput;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly services: CliServices;
  readonly nowMs: () => number;
  /** Calls `listener` at every Ctrl-C or SIGTERM, those within a second being one; returns how to stop that. */
  onInterrupt(listener: () => void): () => void;
  /** Ends the process at once. */
  exitNow(code: number): never;
}
