export { BlockingByteSource } from './blocking-source.js';
export * from './byte-source.js';
export * from './file-byte-source.js';
export * from './folder-store.js';
export * from './make-folder.js';
export * from './object-uri.js';
export * from './open-uri.js';
export { UnnamedFile } from './unnamed-file.js';
export { isS3Uri, S3Store } from './s3/index.js';
