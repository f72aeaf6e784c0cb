"""Writes the matrices that scanpy's tests were run on, as raw arrays, for a program that cannot repeat float32 log1p.

    python test/reference/scanpy-normalised.py FOLDER FILE.h5ad ...

The same calls that made the reference tables (scanpy 1.11.5): normalize_total(target_sum=1e4), log1p. Writes
FOLDER/<file>.indptr, .indices (u32) and .values (f32), and prints what they are as JSON.
"""
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
import anndata
import numpy as np
import scanpy as sc

folder = sys.argv[1]
said = {}
for source in sys.argv[2:]:
    name = os.path.splitext(os.path.basename(source))[0]
    data = anndata.read_h5ad(source)
    sc.pp.normalize_total(data, target_sum=1e4)
    sc.pp.log1p(data)
    matrix = data.X.tocsr()
    matrix.sort_indices()
    for part, values in (("indptr", matrix.indptr.astype("<u4")), ("indices", matrix.indices.astype("<u4")), ("values", matrix.data)):
        values.tofile(os.path.join(folder, f"{name}.{part}"))
    said[name] = {"dtype": str(matrix.dtype), "nonzeros": int(matrix.nnz), "notPositive": int(np.sum(matrix.data <= 0))}
print(json.dumps(said))
