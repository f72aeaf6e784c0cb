"""What peers say about the variants of the rank-sum test, as raw arrays beside the matrices they were given.

    python test/reference/rank-variants.py FOLDER NAME FILE.h5ad LABEL_COLUMN CONTROL [BATCH_COLUMN]

scanpy 1.11.5, crispyx 0.2.2, scipy 1.17.1, numpy 2.4. Matrices (f32, the nonzeros of X row by row with ascending columns):
FOLDER/NAME.scanpy and .crispyx, each normalised to 10,000 and log1p by that tool; .rounded, the same quotients with correctly
rounded logarithms; .other, with numpy's where it may not use AVX-512 and calls the C library. Further arrays, groups x genes,
groups in order of first appearance:
  .rest .rest_untied (f64)  scanpy's scores, reference="rest", with and without tie correction, every label a group
  .others (f64)             scanpy's scores, reference="rest", the control's cells left out
  .elteren .unit (f64)      direct midranks within strata (scipy.stats.rankdata) over their permutation variance
  .low (u1)                 crispyx's low-expression filter: 1 = dropped
and .strata (u4), the stratum of each cell. Prints what they are about as JSON.
"""
import json
import os
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
import anndata
import numpy as np
import scanpy as sc
from scipy.stats import rankdata

folder, name, source, column, control = sys.argv[1:6]
batch_column = sys.argv[6] if len(sys.argv) > 6 else None


def save(part, values, kind="<f8"):
    np.ascontiguousarray(values, dtype=kind).tofile(os.path.join(folder, f"{name}.{part}"))


def against_rest(data, groups, tie_correct):
    """scanpy's scores are stored as float32: recomputing them from its generator keeps every digit."""
    from scanpy.tools._rank_genes_groups import _RankGenes

    test = _RankGenes(data, "all", column, reference="rest", use_raw=False)
    order = list(test.groups_order)
    scores = np.empty((len(groups), data.n_vars))
    for index, score, _ in test.wilcoxon(tie_correct=tie_correct):
        scores[groups.index(order[index])] = score
    return scores


def direct(data, labels, groups, strata, weigh):
    """Midranks within strata of a group and the control, and the exact permutation variance of their weighted sum."""
    z = np.zeros((len(groups), data.shape[1]))
    for g, group in enumerate(groups):
        difference, variance = np.zeros(data.shape[1]), np.zeros(data.shape[1])
        for stratum in np.unique(strata):
            own = data[(labels == group) & (strata == stratum)].toarray().astype(np.float64)
            other = data[(labels == control) & (strata == stratum)].toarray().astype(np.float64)
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
raw.X.sort_indices()
raw.obs[column] = raw.obs[column].astype(str).astype("category")
labels = np.asarray(raw.obs[column]).astype(str)
every = list(dict.fromkeys(labels))
groups = [label for label in every if label != control]

sc.pp.normalize_total(raw, target_sum=1e4)
quotients = raw.X.data.copy()
quotients.tofile(os.path.join(folder, "quotients"))
sc.pp.log1p(raw)
rounded = np.log1p(quotients.astype(np.float64)).astype(np.float32)
again = "import numpy as np, sys; np.log1p(np.fromfile(sys.argv[1], '<f4')).tofile(sys.argv[2])"
paths = [os.path.join(folder, part) for part in ("quotients", "logarithms")]
without = {**os.environ, "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_SKX"}
subprocess.run([sys.executable, "-c", again, *paths], check=True, env=without)
other = np.fromfile(paths[1], "<f4")
other = np.fromfile(os.path.join(folder, "logarithms"), "<f4")
for part, values in (("scanpy", raw.X.data), ("rounded", rounded), ("other", other)):
    save(part, values, "<f4")
said = {
    "groups": groups,
    "labels": every,
    "control": control,
    "notRounded": {"scanpy": float(np.mean(raw.X.data != rounded)), "other": float(np.mean(other != rounded))},
}

save("rest", against_rest(raw, every, True))
save("rest_untied", against_rest(raw, every, False))
save("others", against_rest(raw[labels != control].copy(), groups, True) if len(groups) > 1 else [])

if batch_column is not None:
    import crispyx
    from crispyx._statistics import _low_expr_in_both_mask

    with tempfile.TemporaryDirectory() as scratch:
        target = os.path.join(scratch, "normalised.h5ad")
        crispyx.normalize_total_log1p(source, output_path=target, verbose=False)
        given = anndata.read_h5ad(target).X.tocsr()
    given.sort_indices()
    save("crispyx", given.data, "<f4")
    _, strata = np.unique(np.asarray(raw.obs[batch_column]).astype(str), return_inverse=True)
    save("strata", strata, "<u4")
    save("elteren", direct(given, labels, groups, strata, lambda total: 1.0 / (total + 1)))
    save("unit", direct(given, labels, groups, strata, lambda total: 1.0))
    arms = {label: given[labels == label] for label in every}
    arm = lambda label: (arms[label].getnnz(axis=0), np.asarray(arms[label].mean(axis=0)).ravel(), arms[label].shape[0])
    expressing, mean, cells = arm(control)
    save(
        "low",
        [
            _low_expr_in_both_mask(
                pert_expr_counts=own[0],
                control_expr_counts=expressing,
                pert_mean=own[1],
                control_mean=mean,
                n_pert_cells=own[2],
                n_control_cells=cells,
            )
            for own in map(arm, groups)
        ],
        "u1",
    )
print(json.dumps(said))
