/** First byte that the module's own constant tables leave free; the host's allocations begin here. */
export function heapBase(): usize {
  return __heap_base;
}

/** Zeros, by the host's memset: what V8 does for views of a shared memory goes element by element. */
export function zeroBytes(target: usize, bytes: usize): void {
  memory.fill(target, 0, bytes);
}
