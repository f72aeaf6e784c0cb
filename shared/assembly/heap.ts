/** First byte that the module's own constant tables leave free; the host's allocations begin here. */
export function heapBase(): usize {
  return __heap_base;
}
