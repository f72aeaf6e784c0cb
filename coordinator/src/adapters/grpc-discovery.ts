import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { fileDescriptors, JobService, WorkerService } from '@shardex/proto';
import { HealthImplementation } from 'grpc-health-check';

/** Adds health checking and reflection to a server. @returns sets the health of all services */
export function addDiscovery(server: Server): (serving: boolean) => void {
  const services = ['', JobService.typeName, WorkerService.typeName];
  const health = new HealthImplementation();
  const setServing = (serving: boolean): void => {
    for (const service of services) health.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING');
  };
  health.addToServer(server);
  setServing(true);
  // The library reads nothing but the descriptors of a package definition.
  const file = { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos: fileDescriptors() };
  new ReflectionService({ 'shardex.v1': file } as never).addToServer(server);
  return setServing;
}
