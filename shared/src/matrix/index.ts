export * from './csr-block.js';
