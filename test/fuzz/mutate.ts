/** Whole numbers in [0, below) from a seed: the same sequence everywhere (mulberry32). */
export const randomNumbers = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
};

type Random = (below: number) => number;

/** Numbers that lengths and offsets in a broken file tend to be. */
const STRANGE = [0n, 1n, 7n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0xfffffffffffffffen, 0xffffffffffffffffn];

/** One way of breaking a file; the bytes are its own to change. */
const WAYS: Readonly<Record<string, (bytes: Uint8Array, random: Random) => Uint8Array>> = {
  'one byte changed': (bytes, random) => {
    bytes[random(bytes.length)] ^= 1 + random(255);
    return bytes;
  },
  'a byte of the first 4 KiB changed': (bytes, random) => {
    bytes[random(Math.min(4096, bytes.length))] ^= 1 << random(8);
    return bytes;
  },
  'eight bytes changed': (bytes, random) => {
    for (let i = 0; i < 8; i++) bytes[random(bytes.length)] = random(256);
    return bytes;
  },
  'a number replaced': (bytes, random) => {
    const at = random(bytes.length - 8);
    new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at, STRANGE[random(STRANGE.length)], true);
    return bytes;
  },
  'a range zeroed': (bytes, random) => {
    const begin = random(bytes.length);
    return bytes.fill(0, begin, begin + 1 + random(256));
  },
  'a range copied elsewhere': (bytes, random) => {
    const begin = random(bytes.length - 64);
    bytes.copyWithin(random(bytes.length - 64), begin, begin + 1 + random(64));
    return bytes;
  },
  'the end cut off': (bytes, random) => bytes.slice(0, random(bytes.length)),
  'the beginning cut off': (bytes, random) => bytes.slice(1 + random(600)),
};

export const WAY_NAMES = Object.keys(WAYS);

/** The file broken in the way that the seed chooses. */
export const mutate = (original: Uint8Array, seed: number): { readonly bytes: Uint8Array; readonly way: string } => {
  const random = randomNumbers(seed);
  const way = WAY_NAMES[seed % WAY_NAMES.length];
  return { bytes: WAYS[way](Uint8Array.from(original), random), way };
};
