"""What scanpy says of a screen against other references, and direct ranks within batches, as raw arrays.

    python test/reference/references.py FOLDER FILE.h5ad LABEL_COLUMN CONTROL BATCH_COLUMN

scanpy 1.11.5, scipy 1.17.1, numpy 2.4. scanpy's own normalize_total(1e4) and log1p of the raw counts, and the same quotients
with correctly rounded logarithms ("rounded"; numpy's depend on the processor, see rank-variants.test.ts). f64, groups x genes,
groups in order of first appearance:
  control.* rest.* others.*   scores of the Wilcoxon test against the control, against the rest (the control is the first
                              group), and against the rest without the control's cells; * is scanpy or rounded
  welch overestimated         scores of scanpy's t-tests against the rest
  ptsrest                     share of the other cells that express a gene
  FOLDER/crispyx.h5ad         the screen as crispyx 0.2.2 normalises it
  elteren unit                direct midranks of count/total within batches over their permutation variance
Prints as JSON the labels and the share of scanpy's logarithms that are not correctly rounded.
"""
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
import anndata
import crispyx
import numpy as np
import scanpy as sc
from scanpy.tools._rank_genes_groups import _RankGenes
from scipy.stats import rankdata

folder, source, column, control, batch_column = sys.argv[1:6]


def save(part, values):
    np.ascontiguousarray(values, dtype="<f8").tofile(os.path.join(folder, part))


def scores(data, groups, reference, method):
    """scanpy stores float32 scores; its generators give all digits."""
    test = _RankGenes(data, "all" if reference == "rest" else [*groups, reference], column, reference=reference, use_raw=False)
    order = list(test.groups_order)
    values = np.empty((len(groups), data.n_vars))
    made = test.wilcoxon(tie_correct=True) if method == "wilcoxon" else test.t_test(method)
    for index, score, _ in made:
        values[groups.index(order[index])] = score
    return values, test


def direct(values, labels, groups, strata, weigh):
    z = np.zeros((len(groups), values.shape[1]))
    for g, group in enumerate(groups):
        difference, variance = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        for stratum in np.unique(strata):
            own = values[(labels == group) & (strata == stratum)].toarray()
            other = values[(labels == control) & (strata == stratum)].toarray()
            n, m = len(own), len(other)
            if n == 0 or m == 0:
                continue
            total = n + m
            ranks = rankdata(np.vstack([own, other]), axis=0) * weigh(total)
            centred = ranks - weigh(total) * (total + 1) / 2
            difference += centred[:n].sum(axis=0)
            variance += n * m / (total * (total - 1)) * (centred**2).sum(axis=0)
        np.divide(difference, np.sqrt(variance), out=z[g], where=variance > 0)
    return z


raw = anndata.read_h5ad(source)
raw.X = raw.X.tocsr()
raw.obs[column] = raw.obs[column].astype(str).astype("category")
labels = np.asarray(raw.obs[column]).astype(str)
groups = [label for label in dict.fromkeys(labels) if label != control]
every = [control, *groups]

ratios = raw.X.astype(np.float64)
ratios.data /= np.repeat(np.asarray(ratios.sum(axis=1)).ravel(), np.diff(ratios.indptr))
_, strata = np.unique(np.asarray(raw.obs[batch_column]).astype(str), return_inverse=True)
save("elteren", direct(ratios, labels, groups, strata, lambda total: 1.0 / (total + 1)))
save("unit", direct(ratios, labels, groups, strata, lambda total: 1.0))

sc.pp.normalize_total(raw, target_sum=1e4)
rounded = raw.copy()
rounded.X.data = np.log1p(rounded.X.data.astype(np.float64)).astype(np.float32)
sc.pp.log1p(raw)
for part, data in (("scanpy", raw), ("rounded", rounded)):
    save(f"control.{part}", scores(data, groups, control, "wilcoxon")[0])
    save(f"rest.{part}", scores(data, every, "rest", "wilcoxon")[0])
    save(f"others.{part}", scores(data[labels != control].copy(), groups, "rest", "wilcoxon")[0])
save("welch", scores(rounded, every, "rest", "t-test")[0])
overestimated, test = scores(rounded, every, "rest", "t-test_overestim_var")
save("overestimated", overestimated)
expressing = np.array([raw.X[labels != label].getnnz(axis=0) / np.sum(labels != label) for label in every])
save("ptsrest", expressing)
crispyx.normalize_total_log1p(source, output_path=os.path.join(folder, "crispyx.h5ad"), verbose=False)
print(json.dumps({"groups": groups, "notRounded": float(np.mean(raw.X.data != rounded.X.data))}))
