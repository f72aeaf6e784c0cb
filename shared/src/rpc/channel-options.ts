import { isIP } from 'node:net';
import { logVerbosity, setLogVerbosity, type ChannelOptions } from '@grpc/grpc-js';
import { hostOf } from './loopback.js';

/**
 * Largest message either side accepts. grpc-js's own limit of 4 MiB is reached by the job list of a busy coordinator;
 * 16 MiB leaves room and still bounds what a faulty peer can make us buffer. Data never travels this way: it is chunked.
 */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * Size of a chunk of streamed bytes: 256 KiB was the fastest size in a 64 MiB transfer over mTLS on one machine
 * (200 to 338 MiB/s); larger chunks only add latency and memory.
 */
export const STREAM_CHUNK_BYTES = 256 * 1024;

/** A connection with no traffic for this long is probed, so that a silent partition shows within `TIME + TIMEOUT`. */
const KEEPALIVE_TIME_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

/**
 * The name that a client asks a server for in TLS. grpc-js asks by the host it was given, and an IP address is no name
 * (RFC 6066): from Node 26 on such a connection fails. So it asks for one that nobody has; `channelSecurity` has the
 * certificate looked at for the address.
 */
export const serverName = (address: string): ChannelOptions =>
  isIP(hostOf(address)) === 0 ? {} : { 'grpc.ssl_target_name_override': 'shardex.invalid' };

/** How clients (workers and the command line) connect. */
export const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  // A worker between two calls has to notice a dead coordinator too.
  'grpc.keepalive_permit_without_calls': 1,
  // A restarted coordinator is found again within seconds; grpc's default backs off to two minutes.
  'grpc.initial_reconnect_backoff_ms': 250,
  'grpc.max_reconnect_backoff_ms': 5_000,
  // Retries are decided by whoever knows what a call means (a second CompleteTask is harmless, a second SubmitJob is not).
  'grpc.enable_retries': 0,
  // Coordinators are reached directly; an http_proxy meant for browsers would break loopback clusters.
  'grpc.enable_http_proxy': 0,
  // One connection per client, so that closing a client closes its connection.
  'grpc.use_local_subchannel_pool': 1,
};

/** How the coordinator listens. */
export const SERVER_OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  // A thousand workers, each with a pull per thread waiting, share few connections when they sit behind a proxy.
  'grpc.max_concurrent_streams': 4_096,
  // No statistics of every call are kept for channelz, which nobody reads here.
  'grpc.enable_channelz': 0,
};

/** Longest a worker may ask `PullTask` to wait; below common idle limits of proxies (60 s). */
export const MAX_PULL_WAIT_MS = 30_000;

/** What a long poll may take beyond its wait before the client gives up on the answer. */
const LONG_POLL_MARGIN_MS = 10_000;

/**
 * Deadline of each method, in milliseconds; null: none, the call lasts as long as there is something to tell.
 * Planning opens the input, which may be on slow storage: hence two minutes for SubmitJob.
 */
export const METHOD_DEADLINES_MS: Readonly<Record<string, number | null>> = {
  SubmitJob: 120_000,
  GetJob: 10_000,
  ListJobs: 10_000,
  WatchJob: null,
  CancelJob: 10_000,
  ListJobEvents: 10_000,
  GetResults: null,
  RegisterWorker: 10_000,
  PullTask: MAX_PULL_WAIT_MS + LONG_POLL_MARGIN_MS,
  Heartbeat: 10_000,
  CompleteTask: 30_000,
  FailTask: 30_000,
  DrainWorker: 10_000,
};

/** grpc-js writes to stderr by itself what it also reports as an error; one report is enough. GRPC_VERBOSITY still works. */
export function quietGrpc(): void {
  if (process.env['GRPC_VERBOSITY'] === undefined) setLogVerbosity(logVerbosity.NONE);
}
