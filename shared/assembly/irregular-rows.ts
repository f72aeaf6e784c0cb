// Looks over rows as they come from the file, four or two nonzeros at a time: plain twin in shared/src/matrix/normalise-rows.ts.

/** Whether columns begin … end are strictly ascending and below nColumns. */
// @ts-ignore: decorator
@inline
function areInOrder(columns: usize, begin: usize, end: usize, nColumns: u32): bool {
  if (begin == end) return true;
  let found = i32x4.splat(0);
  let i = begin + 1;
  for (; i + 4 <= end; i += 4) {
    const at = columns + (i << 2);
    found = v128.or(found, i32x4.le_u(v128.load(at), v128.load(at - 4)));
  }
  if (v128.any_true(found)) return false;
  for (; i < end; i++) {
    const at = columns + (i << 2);
    if (load<u32>(at) <= load<u32>(at - 4)) return false;
  }
  // Ascending, so that the last is the largest.
  return load<u32>(columns + ((end - 1) << 2)) < nColumns;
}

// @ts-ignore: decorator
@inline
function haveZeros32(values: usize, begin: usize, end: usize): bool {
  let found = i32x4.splat(0);
  let i = begin;
  for (; i + 4 <= end; i += 4) found = v128.or(found, f32x4.eq(v128.load(values + (i << 2)), f32x4.splat(0)));
  for (; i < end; i++) if (load<f32>(values + (i << 2)) == 0) return true;
  return v128.any_true(found);
}

// @ts-ignore: decorator
@inline
function haveZeros64(values: usize, begin: usize, end: usize): bool {
  let found = i32x4.splat(0);
  let i = begin;
  for (; i + 2 <= end; i += 2) found = v128.or(found, f64x2.eq(v128.load(values + (i << 3)), f64x2.splat(0)));
  for (; i < end; i++) if (load<f64>(values + (i << 3)) == 0) return true;
  return v128.any_true(found);
}

/**
 * The first row that is not strictly ascending, within range and free of zeros; nRows when all are. indptr: u32 nRows + 1.
 * columns: u32. values: f32.
 */
export function firstIrregularRow32(indptr: usize, columns: usize, values: usize, nRows: u32, nColumns: u32): u32 {
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = <usize>load<u32>(indptr + (<usize>row << 2));
    const end = <usize>load<u32>(indptr + (<usize>row << 2), 4);
    if (!areInOrder(columns, begin, end, nColumns) || haveZeros32(values, begin, end)) return row;
  }
  return nRows;
}

/** The same of values f64. */
export function firstIrregularRow64(indptr: usize, columns: usize, values: usize, nRows: u32, nColumns: u32): u32 {
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = <usize>load<u32>(indptr + (<usize>row << 2));
    const end = <usize>load<u32>(indptr + (<usize>row << 2), 4);
    if (!areInOrder(columns, begin, end, nColumns) || haveZeros64(values, begin, end)) return row;
  }
  return nRows;
}
