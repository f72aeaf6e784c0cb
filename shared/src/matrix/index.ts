export * from './csr-block.js';
export * from './float16.js';
