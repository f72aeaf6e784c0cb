/**
 * The part of the WebAssembly interface that the kernel heap uses. Node has it, but its types live in TypeScript's DOM
 * library, which would also declare `window` and everything else a server does not have.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
    /** Grows by so many pages of 64 KiB. */
    grow(pages: number): number;
  }
  class Instance {
    constructor(module: Module, imports: { env: { memory: Memory; abort: () => never } });
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
