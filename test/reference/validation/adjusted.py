"""Adjusted p-values of a results folder beside scipy's and statsmodels', as rows of a table in JSON.

    python adjusted.py RESULTS_FOLDER bh|bonferroni TITLE

A row a peer. Differences are the largest relative ones over the three files: of `pvalue_adj` with a perturbation as the
family, and of `pvalue_adj_global` with all tests of a file. scipy has no Bonferroni.
"""
import json
import os
import sys

import anndata
import numpy as np
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

FILES = ("nb_glm", "wilcoxon", "t_test")
PEERS = {
    "bh": {"scipy": false_discovery_control, "statsmodels": lambda p: multipletests(p, method="fdr_bh")[1]},
    "bonferroni": {"statsmodels": lambda p: multipletests(p, method="bonferroni")[1]},
}


def largest_difference(families, adjust):
    """Over families of (p-values, our adjusted ones); a gene without a p-value is in none."""
    worst = 0.0
    for p, ours in families:
        tested = np.isfinite(p)
        assert (np.isfinite(ours) == tested).all(), "adjusted without a p-value, or the other way round"
        theirs = adjust(p[tested])
        worst = max(worst, float((np.abs(ours[tested] - theirs) / np.where(theirs == 0, 1, theirs)).max()))
    return worst


folder, method, title = sys.argv[1:]
files = [anndata.read_h5ad(os.path.join(folder, f"{name}.h5ad")) for name in FILES]
p_values = [data.layers["pvalue"] for data in files]
within = [family for data, p in zip(files, p_values) for family in zip(p, data.layers["pvalue_adj"])]
over = [(p.ravel(), data.layers["pvalue_adj_global"].ravel()) for data, p in zip(files, p_values)]
tests = [int(np.isfinite(p).sum()) for p in p_values]
assert tests == [int(data.uns["n_tests"]) for data in files], "uns/n_tests is another number"
rows = [
    {
        "": f"{title}, {method}, {peer}",
        "tests": sum(tests),
        "adjusted p ≤ 0.05": sum(int((data.layers["pvalue_adj"] <= 0.05).sum()) for data in files),
        "within a perturbation": largest_difference(within, adjust),
        "over the screen": largest_difference(over, adjust),
    }
    for peer, adjust in PEERS[method].items()
]
print(json.dumps(rows))
