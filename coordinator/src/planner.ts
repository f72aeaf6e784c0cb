/** A job's stages one by one, for whoever drives them without a coordinator. */
export { DePlanner } from './adapters/index.js';
