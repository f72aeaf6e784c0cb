import { WrapperMatrix1D } from 'ml-matrix';

/**
 * A matrix in one array, and so are its clones. The library's own has an array for each row: with two numbers in each,
 * making and collecting them took most of a fit. The same steps, to the same bits.
 */
export class FlatMatrix extends WrapperMatrix1D {
  constructor(
    private readonly numbers: Float64Array,
    rows: number,
  ) {
    super(numbers, { rows });
  }

  override clone(): this {
    return new FlatMatrix(this.numbers.slice(), this.rows) as this;
  }
}
