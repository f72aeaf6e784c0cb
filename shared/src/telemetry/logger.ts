import { pino, type DestinationStream, type Logger as Pino } from 'pino';
import { LogTarget } from './log-target.js';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields of a log line; the first five have the same names everywhere, so that one query finds a task's whole way. */
export interface LogFields {
  readonly job?: string;
  readonly stage?: string;
  readonly task?: string;
  readonly worker?: string;
  readonly attempt?: number;
  readonly [field: string]: unknown;
}

/** Structured lines, one JSON object each. An `error` field is written with its tag, message, hint and stack. */
export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  /** A logger whose lines all carry these fields. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** `silent` writes nothing. */
  readonly level: LogLevel;
  /** Which process writes: `coordinator`, `worker`. */
  readonly name: string;
  /** Default: stderr, because stdout carries only what was asked for. */
  readonly stream?: DestinationStream;
}

export function createLogger({ level, name, stream }: LoggerOptions): Logger {
  const target = stream ?? LogTarget.standardError();
  const options = { level, name, messageKey: 'text', serializers: { error: errorFields } };
  return wrap(pino(options, target));
}

function wrap(logger: Pino): Logger {
  return {
    debug: (text, fields = {}) => logger.debug(fields, text),
    info: (text, fields = {}) => logger.info(fields, text),
    warn: (text, fields = {}) => logger.warn(fields, text),
    error: (text, fields = {}) => logger.error(fields, text),
    child: (fields) => wrap(logger.child(fields)),
  };
}

/** Whatever was thrown, as fields; a chain of causes becomes a nested object. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const own = Object.fromEntries(
    ['tag', 'hint', 'details', 'code'].filter((key) => key in error).map((key) => [key, (error as never)[key]]),
  );
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) };
  return { message: error.message, ...own, ...cause, stack: error.stack };
}
