import { toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { file_shardex_v1_job_service } from './gen/shardex/v1/job_service_pb.js';
import { file_shardex_v1_worker_service } from './gen/shardex/v1/worker_service_pb.js';

/** Every `.proto` file of this package as a serialized `FileDescriptorProto`: what server reflection serves to grpcurl. */
export function fileDescriptors(): Buffer[] {
  return [file_shardex_v1_job_service, file_shardex_v1_worker_service].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
}
