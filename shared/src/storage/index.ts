export * from './byte-source.js';
export * from './file-byte-source.js';
export * from './folder-store.js';
export * from './make-folder.js';
export * from './open-uri.js';
