interface Entry {
  readonly atSeconds: number;
  readonly serial: number;
  readonly act: (atSeconds: number) => void;
}

/** What will happen, earliest first; of things at one time the one that was planned first. */
export class EventQueue {
  private readonly heap: Entry[] = [];
  private serial = 0;

  add(atSeconds: number, act: (atSeconds: number) => void): void {
    const { heap } = this;
    heap.push({ atSeconds, serial: (this.serial += 1), act });
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i], heap[parent])) break;
      [heap[i], heap[parent]] = [heap[parent], heap[i]];
      i = parent;
    }
  }

  nextAt(): number {
    return this.heap.length === 0 ? Infinity : this.heap[0].atSeconds;
  }

  runNext(): void {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined) return;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ;) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2])
          if (child < heap.length && isBefore(heap[child], heap[least])) least = child;
        if (least === i) break;
        [heap[i], heap[least]] = [heap[least], heap[i]];
        i = least;
      }
    }
    first.act(first.atSeconds);
  }
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.atSeconds < b.atSeconds || (a.atSeconds === b.atSeconds && a.serial < b.serial);
