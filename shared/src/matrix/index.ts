export * from './csr-block.js';
export * from './float16.js';
export * from './normalise-rows.js';
export * from './block-builder.js';
export * from './unify-nans.js';
