export { S3ByteSource } from './s3-byte-source.js';
export { S3Connection } from './s3-connection.js';
export { S3Store } from './s3-store.js';
export { isS3Uri, parseS3Uri } from './s3-uri.js';
