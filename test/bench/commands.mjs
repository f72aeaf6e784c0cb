import { fileURLToPath } from 'node:url';
import { shardex } from './simulated-input.mjs';

const peerScript = fileURLToPath(new URL('./peer.py', import.meta.url));

/**
 * A command of a case.
 *
 * @typedef {object} Command
 * @property {string} name
 * @property {boolean} needsPeers
 * @property {(surroundings: { input: string, output: string, python: string | null }) => string[]} argv
 * @property {Record<string, string>} [env]
 * @property {boolean} [once] run in the first round only, unless all is to be run thoroughly
 */

/**
 * `shardex de` on the case's input with an embedded cluster.
 *
 * @param {string} name
 * @param {string[]} options
 * @returns {Command}
 */
export const shardexDe = (name, options) => ({
  name,
  needsPeers: false,
  argv: ({ input, output }) => [process.execPath, shardex, 'de', input, '--out', output, '--quiet', ...options],
});

/**
 * A method of `peer.py` on the case's input.
 *
 * @param {string} method
 * @param {Record<string, string>} [env]
 * @returns {Command}
 */
export const peer = (method, env = {}) => ({
  name: method,
  needsPeers: true,
  argv: ({ input, output, python }) => [python, peerScript, method, input, output],
  env,
});

/** What every case is compared with: one core that only decompresses. */
export const floor = { ...peer('decode', { OMP_NUM_THREADS: '1' }), name: 'floor: h5py decodes X on one core' };
