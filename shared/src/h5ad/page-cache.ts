/** Reads a range of an object while the caller waits. */
export type ReadNow = (offset: number, length: number) => Uint8Array;

/** A request to S3 costs as much time as 1 to 2 MB of transfer; HDF5's metadata lie scattered in pieces of some KB. */
const PAGE_BYTES = 512 << 10;
/** Reading on from where the last request ended doubles the next, up to this. */
const MAX_FETCH_PAGES = 16;
/** 64 MiB: the oldest pages make room for new ones. */
const MAX_PAGES = 128;

/** The pages of an object that were read lately. */
export class PageCache {
  /** In order of their last use. */
  private readonly pages = new Map<number, Uint8Array>();
  /** The page after those of the last request. */
  private endOfLast = -1;
  private lastCount = 1;

  constructor(
    private readonly sizeBytes: number,
    private readonly readNow: ReadNow,
  ) {}

  /** Fills `target` from `offset` on, all of it within the object. @throws what `readNow` throws */
  readInto(offset: number, target: Uint8Array): void {
    for (let done = 0; done < target.byteLength;) {
      const at = offset + done;
      const number = Math.floor(at / PAGE_BYTES);
      const last = Math.floor((offset + target.byteLength - 1) / PAGE_BYTES);
      const page = this.page(number, last - number + 1);
      const begin = at - number * PAGE_BYTES;
      const piece = page.subarray(begin, begin + target.byteLength - done);
      target.set(piece, done);
      done += piece.byteLength;
    }
  }

  /** @param wanted - pages from this one on that are about to be read */
  private page(number: number, wanted: number): Uint8Array {
    const page = this.pages.get(number) ?? this.fetch(number, wanted);
    this.pages.delete(number);
    this.pages.set(number, page);
    return page;
  }

  private fetch(first: number, wanted: number): Uint8Array {
    const ahead = first === this.endOfLast ? this.lastCount * 2 : 1;
    let count = 1;
    while (count < Math.min(Math.max(wanted, ahead), MAX_FETCH_PAGES) && !this.pages.has(first + count)) count++;
    const begin = first * PAGE_BYTES;
    const bytes = this.readNow(begin, Math.min(count * PAGE_BYTES, this.sizeBytes - begin));
    count = Math.ceil(bytes.byteLength / PAGE_BYTES);
    this.endOfLast = first + count;
    this.lastCount = count;
    for (let i = 0; i < count; i++) this.pages.set(first + i, bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
    for (const oldest of this.pages.keys()) {
      if (this.pages.size <= MAX_PAGES) break;
      this.pages.delete(oldest);
    }
    return this.pages.get(first) as Uint8Array;
  }
}
