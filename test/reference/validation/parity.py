"""Our results beside a peer's, as rows of a table in JSON.

    python parity.py pydeseq2 OUR_FOLDER REFERENCE_FOLDER TITLE [COVARIATE]    also OUR_FOLDER-outside.csv, the genes outside
    python parity.py crispyx-nb OUR_FOLDER CRISPYX.h5ad TITLE
    python parity.py ranks OURS.h5ad CRISPYX.h5ad TITLE
    python parity.py welch OURS.h5ad CRISPYX.h5ad CRISPYX_DOUBLE.h5ad NORMALISED.h5ad CONTROL TITLE    all beside scipy
"""
import glob
import json
import os
import re
import sys
import warnings

import anndata
import numpy as np
import pandas as pd

warnings.simplefilter("ignore")


def layers_of(path, names):
    data = anndata.read_h5ad(path)
    labels = data.obs["perturbation"] if "perturbation" in data.obs else data.obs_names
    of = lambda name: np.asarray(data.X if name == "X" else data.layers[name], dtype=float)
    return {name: pd.DataFrame(of(name), index=labels.astype(str), columns=data.var_names) for name in names}


def pydeseq2(ours, reference, title, covariate=None):
    suffix = "" if covariate is None else f"_cov_{covariate}"
    mine = layers_of(os.path.join(ours, "nb_glm.h5ad"), ["X", "standard_error", "dispersion"])
    rows, outside = [], []
    for path in sorted(glob.glob(os.path.join(reference, f"pydeseq2_*_poscounts{suffix}.csv.gz"))):
        name = re.match(rf"pydeseq2_(.+)_poscounts{suffix}\.csv\.gz$", os.path.basename(path)).group(1)
        theirs = pd.read_csv(path, index_col=0)
        genes = theirs.index.intersection(mine["X"].columns)
        t, m = theirs.loc[genes], {key: frame.loc[name, genes] for key, frame in mine.items()}
        ok = np.isfinite(t["log2FoldChange"]) & np.isfinite(m["X"])
        lfc = (m["X"] - t["log2FoldChange"]).abs()[ok]
        scale = np.maximum(t["log2FoldChange"].abs(), t["lfcSE"])[ok]
        se = (m["standard_error"] / t["lfcSE"] - 1).abs()[ok]
        dispersion = (m["dispersion"] / t["dispersions"] - 1).abs()[ok]
        differences = pd.DataFrame({"LFC": lfc / scale, "SE": se, "dispersion": dispersion})
        within = (differences < 1e-3).all(axis=1)
        outside.append(differences[~within].assign(perturbation=name))
        rows.append({
            "": f"{title} {name}" + ("" if covariate is None else f", {covariate}"),
            "genes": int(ok.sum()),
            "LFC within 1e-3": f"{(lfc / scale < 1e-3).mean():.1%}",
            "SE within 1e-3": f"{(se < 1e-3).mean():.1%}",
            "dispersion within 1e-3": f"{(dispersion < 1e-3).mean():.1%}",
            "all three": f"{within.mean():.1%}",
            "median difference of LFC": float(lfc.median()),
            "largest": float(lfc.max()),
            "outside": f"{(~within).sum()}, by up to {differences[~within].max(axis=None):.1e}".replace("e-0", "e-") if (~within).any() else "0",
        })
    pd.concat(outside).to_csv(f"{ours}-outside.csv", index_label="gene")
    print(json.dumps(rows))


def crispyx_nb(ours, theirs, title):
    mine = layers_of(os.path.join(ours, "nb_glm.h5ad"), ["X", "standard_error", "pvalue"])
    peer = layers_of(theirs, ["X", "standard_error", "pvalue", "converged"])
    rows = list(peer["X"].index)
    of = lambda layers, key: layers[key].loc[rows].to_numpy()
    ok = np.isfinite(of(peer, "X")) & (of(peer, "converged") == 1)
    both = ok & np.isfinite(of(mine, "X"))
    difference = np.abs(of(mine, "X") - of(peer, "X"))[both]
    se = np.abs(of(mine, "standard_error") / of(peer, "standard_error") - 1)[both]
    p = np.isfinite(of(peer, "pvalue")) & np.isfinite(of(mine, "pvalue"))
    with np.errstate(divide="ignore"):
        log10p = np.abs(np.log10(of(mine, "pvalue")) - np.log10(of(peer, "pvalue")))[p]
    print(json.dumps({
        "": title,
        "pairs where crispyx converged": int(ok.sum()),
        "of them tested by us": int(both.sum()),
        "correlation of LFC": f"{np.corrcoef(of(mine, 'X')[both], of(peer, 'X')[both])[0, 1]:.8f}",
        "LFC within 1e-3": f"{np.mean(difference < 1e-3):.2%}",
        "largest difference": float(difference.max()),
        "SE, largest relative difference": float(se.max()),
        "log10 p, largest difference": float(np.nanmax(log10p[np.isfinite(log10p)])),
        "tested by one only": int((np.isfinite(of(peer, "pvalue")) != np.isfinite(of(mine, "pvalue"))).sum()),
    }))


def largest_relative(mine, theirs):
    """Of the pairs that both have; relative to at least 1."""
    ok = np.isfinite(mine) & np.isfinite(theirs)
    return float((np.abs(mine - theirs) / np.maximum(1, np.abs(theirs)))[ok].max())


def ranks(ours, theirs, title):
    mine, peer = (layers_of(path, ["X", "z_score", "pvalue"]) for path in (ours, theirs))
    rows = list(peer["X"].index)
    of = lambda layers, key: layers[key].loc[rows].to_numpy()
    tested = [np.isfinite(of(layers, "z_score")) for layers in (mine, peer)]
    ok = tested[0] & tested[1]
    with np.errstate(divide="ignore"):
        log10p = [np.log10(of(layers, "pvalue")) for layers in (mine, peer)]
    print(json.dumps({
        "": title,
        "pairs": int(ok.sum()),
        "effect, largest difference": float(np.abs(of(mine, "X") - of(peer, "X"))[ok].max()),
        "statistic": largest_relative(of(mine, "z_score"), of(peer, "z_score")),
        "log10 p": largest_relative(*log10p),
        "tested by one only": int((tested[0] != tested[1]).sum()),
    }))


# Cells that crispyx sums at a time, in the type of the matrix; these sums it adds in double precision.
CRISPYX_CELLS = 4096


def t_as_crispyx(values, labels, row, control):
    """Welch's t in double precision, but for sums over parts of the cells and the effect, which are float32."""
    means, squared_errors = [], []
    for label in (row, control):
        parts = [values[i : i + CRISPYX_CELLS][labels[i : i + CRISPYX_CELLS] == label] for i in range(0, len(labels), CRISPYX_CELLS)]
        n = sum(part.shape[0] for part in parts)
        of = lambda power: sum(np.asarray(part.power(power).sum(axis=0)).ravel().astype(float) for part in parts)
        total, squares = of(1), of(2)
        means.append(total / n)
        squared_errors.append(np.maximum(0, (squares - total**2 / n) / (n - 1)) / n)
    return (means[0] - means[1]).astype(np.float32) / np.sqrt(squared_errors[0] + squared_errors[1])


def welch(ours, theirs, double, normalised, control, title):
    from scipy.stats import ttest_ind

    data = anndata.read_h5ad(normalised)
    values, labels = data.X, data.obs["perturbation"].astype(str).to_numpy()
    dense = values.toarray().astype(float)
    mine, peer, peer_in_double = (layers_of(path, ["z_score"])["z_score"] for path in (ours, theirs, double))
    rows = list(peer.index)
    mine, peer, peer_in_double = (frame.loc[rows].to_numpy() for frame in (mine, peer, peer_in_double))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.array([ttest_ind(dense[labels == row], dense[labels == control], equal_var=False).statistic for row in rows])
        as_crispyx = np.array([t_as_crispyx(values, labels, row, control) for row in rows])
    t[~np.isfinite(mine) | ~np.isfinite(peer)] = np.nan
    print(json.dumps({
        "": title,
        "pairs": int(np.isfinite(t).sum()),
        "ours from scipy's": largest_relative(mine, t),
        "crispyx's from scipy's": largest_relative(peer, t),
        "crispyx's of doubles from scipy's": largest_relative(peer_in_double, t),
        "crispyx's from one with float32 sums": largest_relative(as_crispyx, peer),
    }))


{"welch": welch, "pydeseq2": pydeseq2, "crispyx-nb": crispyx_nb, "ranks": ranks}[sys.argv[1]](*sys.argv[2:])
