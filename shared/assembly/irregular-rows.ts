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
function haveZeros<T extends number>(values: usize, begin: usize, end: usize): bool {
  const lanes = 16 / sizeof<T>();
  let found = i32x4.splat(0);
  let i = begin;
  for (; i + lanes <= end; i += lanes) {
    found = v128.or(found, v128.eq<T>(v128.load(values + i * sizeof<T>()), v128.splat<T>(<T>0)));
  }
  for (; i < end; i++) if (load<T>(values + i * sizeof<T>()) == <T>0) return true;
  return v128.any_true(found);
}

/**
 * The first row that is not strictly ascending, within range and free of zeros; nRows when all are. indptr: u32 nRows + 1.
 * columns: u32.
 */
// @ts-ignore: decorator
@inline
function firstIrregularRow<T extends number>(
  indptr: usize, columns: usize, values: usize, nRows: u32, nColumns: u32,
): u32 {
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = <usize>load<u32>(indptr + (<usize>row << 2));
    const end = <usize>load<u32>(indptr + (<usize>row << 2), 4);
    if (!areInOrder(columns, begin, end, nColumns) || haveZeros<T>(values, begin, end)) return row;
  }
  return nRows;
}

export function firstIrregularRow32(indptr: usize, columns: usize, values: usize, nRows: u32, nColumns: u32): u32 {
  return firstIrregularRow<f32>(indptr, columns, values, nRows, nColumns);
}

export function firstIrregularRow64(indptr: usize, columns: usize, values: usize, nRows: u32, nColumns: u32): u32 {
  return firstIrregularRow<f64>(indptr, columns, values, nRows, nColumns);
}
