"""Opens the results of `shardex de --scanpy` with anndata and scanpy, and says what they saw as JSON.

    python test/reference/papalexi-open.py RESULTS_FOLDER
"""
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
import anndata
import numpy as np
import scanpy as sc

said = {}
for name in ("nb_glm", "wilcoxon", "t_test"):
    data = anndata.read_h5ad(os.path.join(sys.argv[1], f"{name}.h5ad"))
    label = data.obs_names[0]
    table = sc.get.rank_genes_groups_df(data, group=label)
    layer = data[label].to_df(layer="z_score").iloc[0]
    scores = table.set_index("names")["scores"]
    said[name] = {
        "shape": list(data.shape),
        "layers": sorted(data.layers),
        "ranked": [len(table), float(np.abs(scores - layer[scores.index]).max())],
    }
print(json.dumps(said))
