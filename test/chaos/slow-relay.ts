import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** A relay of TCP between a worker and its coordinator, which delays what passes and cuts connections. */
export interface SlowRelay {
  readonly address: string;
  /** Pieces of data that were delayed. */
  readonly delayed: () => number;
  /** Tears every connection there is. @returns how many */
  cut(): number;
  close(): Promise<void>;
}

/** @param delayMs - of each piece of data, each way */
export async function startSlowRelay(target: string, delayMs: number): Promise<SlowRelay> {
  const [host, port] = target.split(':');
  const open = new Set<Socket>();
  let delayed = 0;
  const pipe = (from: Socket, to: Socket): void => {
    open.add(from);
    from.on('data', (piece) => {
      delayed++;
      setTimeout(() => to.write(piece), delayMs);
    });
    from.on('error', () => undefined);
    from.once('close', () => {
      open.delete(from);
      setTimeout(() => to.destroy(), delayMs);
    });
  };
  const server = createServer((near) => {
    const far = createConnection({ host, port: Number(port) });
    pipe(near, far);
    pipe(far, near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): number => {
    const count = open.size;
    for (const socket of open) socket.resetAndDestroy();
    return count;
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    delayed: () => delayed,
    cut,
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
