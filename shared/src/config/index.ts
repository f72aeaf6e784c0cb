export * from './de-parameters.js';
export * from './detect-design.js';
export { controlCandidates } from './design-names.js';
export * from './memory-size.js';
export * from './option-values.js';
export * from './parse-de-options.js';
export * from './resolve-settings.js';
export * from './size-factor-method.js';
export * from './suggest.js';
