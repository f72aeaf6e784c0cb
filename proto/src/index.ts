export * from './gen/shardex/v1/job_service_pb.js';
export * from './gen/shardex/v1/worker_service_pb.js';
export * from './service-definition.js';
export { fileDescriptors } from './file-descriptors.js';
export { create } from '@bufbuild/protobuf';
export type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
