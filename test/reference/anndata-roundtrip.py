"""Reads what shardex wrote with the programs users read it with, and prints what they see as JSON.

Arguments: the h5ad file, the CSV file, the Parquet file, a path for anndata's own copy.
Run by anndata-roundtrip.test.ts; written against anndata 0.12, scanpy 1.11.5, pandas 2, pyarrow.
"""
import json
import math
import sys

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import scanpy as sc


def plain(values):
    """A nested list in which NaN and infinities are strings, because JSON has neither."""
    if isinstance(values, np.ndarray):
        return [plain(value) for value in values.tolist()]
    if isinstance(values, (list, tuple)):
        return [plain(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return str(values)
    return values


h5ad, csv, parquet, copy = sys.argv[1:]
a = anndata.read_h5ad(h5ad)
ranked = sc.get.rank_genes_groups_df(a, group="KO2")
a.write_h5ad(copy)
again = anndata.read_h5ad(copy)
backed = anndata.read_h5ad(h5ad, backed="r")
table = pd.read_parquet(parquet)
text = pd.read_csv(csv, float_precision="round_trip", keep_default_na=False, na_values={"effect": [""], "pvalue": [""]})
print(
    json.dumps(
        {
            "obs_index": list(a.obs_names),
            "obs_columns": list(a.obs.columns),
            "obs_dtypes": [str(dtype) for dtype in a.obs.dtypes],
            "group": [None if pd.isna(value) else value for value in a.obs["group"]],
            "group_ordered": bool(a.obs["dose"].cat.ordered),
            "size": plain(a.obs["size"].to_numpy()),
            "label": list(a.obs["label"]),
            "cells": [str(value) for value in a.obs["n_cells"]],
            "var_columns": list(a.var.columns),
            "x_type": type(a.X).__name__,
            "x_dtype": str(a.X.dtype),
            "x": plain(a.X.toarray()),
            "x_canonical": bool(a.X.has_canonical_format),
            "layers": {name: [str(layer.dtype), plain(layer)] for name, layer in a.layers.items()},
            "varm": plain(a.varm["truth"]),
            "uns_text": a.uns["method"],
            "uns_number": float(a.uns["alpha"]),
            "uns_seed": int(a.uns["seed"]),
            "uns_flag": int(a.uns["tie"]),
            "uns_list": list(a.uns["legend"]),
            "uns_array": plain(a.uns["table"]),
            "uns_nested": plain(a.uns["nested"]["inner"]),
            "uns_has_null": "left_out" in a.uns,
            "ranked": {name: plain(ranked[name].to_numpy()) for name in ranked.columns},
            "copy_equal": bool((again.X != a.X).nnz == 0 and again.obs.equals(a.obs)),
            "backed_row": plain(np.asarray(backed[1].layers["pvalue"])),
            "parquet_dtypes": [str(dtype) for dtype in table.dtypes],
            "parquet_groups": pq.ParquetFile(parquet).num_row_groups,
            "parquet": {name: plain(table[name].to_numpy()) for name in table.columns},
            "csv": {name: plain(text[name].to_numpy()) for name in text.columns},
        }
    )
)
