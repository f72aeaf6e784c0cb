/** Rounds after which the state no longer shows the seed; PractRand takes 15 for three seed words. */
const SEEDING_ROUNDS = 15;
const TWO_TO_32 = 2 ** 32;

/**
 * The generator sfc32: 32 random bits a call from 128 bits of state, of which one word is a counter, so that the period
 * is at least 2^32. A generator is made from (seed, stream, index), so that any cell's numbers can be had without
 * drawing those of the cells before it.
 *
 * @source Chris Doty-Humphrey, PractRand 0.94, RNG_engines/sfc.cpp (public domain)
 */
export class Sfc32 {
  private counter = 1;

  constructor(
    private a: number,
    private b: number,
    private c: number,
  ) {
    for (let round = 0; round < SEEDING_ROUNDS; round++) this.next();
  }

  /** A signed 32-bit integer, uniform. */
  next(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result;
  }

  /** Uniform in the open interval (0, 1), in steps of 2^-32. */
  uniform(): number {
    return ((this.next() >>> 0) + 0.5) / TWO_TO_32;
  }

  /** An integer in 0 … n − 1. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /**
   * A standard normal value.
   * @source Box and Muller 1958, A Note on the Generation of Random Normal Deviates
   */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Gamma of whole-numbered shape and scale 1: the waiting time until the shape-th event. */
  gamma(shape: number): number {
    let time = 0;
    for (let event = 0; event < shape; event++) time -= Math.log(this.uniform());
    return time;
  }

  /** Shuffles the first `count` places of `values` so that they are a random sample of all of them, in random order. */
  sampleToFront(values: Int32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const j = i + this.below(values.length - i);
      const moved = values[i];
      values[i] = values[j];
      values[j] = moved;
    }
  }
}
