export { GlobalBenjaminiHochberg, type AdjustmentLimits } from './global-benjamini-hochberg.js';
export type { OpenOverflow, OverflowFile } from './overflow-file.js';
