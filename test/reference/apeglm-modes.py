"""The highest point of apeGLM's posterior of every gene by scipy, and what is lost at two others.

    python test/reference/apeglm-modes.py DATA.h5ad TABLE CONTROL PERTURBATION SCALE OURS.json

TABLE is a peer's without `.csv.gz`: its size factors, dispersions, estimates and shrunken fold changes (log2); OURS.json has
our fold changes by gene (natural logarithm). The posterior is summed over cells in double precision; PyDESeq2's own function
of it, which loses digits where the dispersion is near 0, is evaluated beside it. The top is the best of searches from 0, the
estimate, half of it and four other places, none of them ours or the peer's. Prints as JSON, a row a gene: its name, how much
lower than the top ours and the peer's are, and the difference of these two by PyDESeq2 (null: dispersion below 1e-6).
"""
import json
import sys
import warnings

import anndata
import numpy as np
import pandas as pd
from pydeseq2.utils import nbinomFn
from scipy.optimize import minimize, minimize_scalar

warnings.simplefilter("ignore")
INTERCEPT_SCALE = 15
OTHER_STARTS = (-3.0, -1.0, 1.0, 3.0)


class Posterior:
    def __init__(self, counts, offset, arm, alpha, scale):
        self.counts, self.offset, self.arm, self.alpha, self.scale = counts, offset, arm, alpha, scale

    def height_and_slope(self, beta):
        """Minus the log posterior, and its gradient."""
        mu = np.exp(beta[0] + beta[1] * self.arm + self.offset)
        score = (self.counts - mu) / (1 + self.alpha * mu)
        likelihood = (self.counts * (beta[0] + beta[1] * self.arm) - (self.counts + 1 / self.alpha) * np.log1p(self.alpha * mu)).sum()
        prior = beta[0] ** 2 / (2 * INTERCEPT_SCALE**2) + np.log1p((beta[1] / self.scale) ** 2)
        slope = np.array([beta[0] / INTERCEPT_SCALE**2, 2 * beta[1] / (self.scale**2 + beta[1] ** 2)])
        return prior - likelihood, slope - np.array([score.sum(), score @ self.arm])

    def near(self, fold_change):
        """A good intercept for a fold change, and it: the one at which the counts add up."""
        return np.array([np.log(self.counts.sum() / np.exp(self.offset + fold_change * self.arm).sum()), fold_change])

    def with_best_intercept(self, fold_change):
        start, _ = self.near(fold_change)
        of = lambda intercept: self.height_and_slope(np.array([intercept, fold_change]))[0]
        return np.array([minimize_scalar(of, bracket=(start - 0.1, start + 0.1), tol=1e-10).x, fold_change])

    def top(self, estimate):
        starts = [0.0, estimate, estimate / 2, *OTHER_STARTS]
        search = lambda start: minimize(self.height_and_slope, self.near(start), jac=True, method="BFGS", options={"gtol": 1e-9})
        return min(search(start).fun for start in starts)

    def by_pydeseq2(self, beta):
        design = np.column_stack([np.ones_like(self.arm), self.arm])
        return nbinomFn(beta, design, self.counts, 1 / self.alpha, self.offset, INTERCEPT_SCALE, self.scale)


data_path, base, control, perturbation, scale, ours_path = sys.argv[1:]
data = anndata.read_h5ad(data_path)
factors = pd.read_csv(f"{base}_size_factors.csv.gz", index_col=0).iloc[:, 0]
table = pd.read_csv(f"{base}.csv.gz", index_col=0)
dispersions = table["dispersion" if "dispersion" in table else "dispersions"]
cells = data[factors.index]
labels = cells.obs["perturbation"].astype(str).to_numpy()
chosen = (labels == control) | (labels == perturbation)
counts, offset, arm = cells.X[chosen].toarray().astype(float), np.log(factors.to_numpy()[chosen]), (labels[chosen] == perturbation).astype(float)
rows = []
for gene, fold_change in json.load(open(ours_path)).items():
    alpha = dispersions[gene]
    posterior = Posterior(counts[:, data.var_names.get_loc(gene)], offset, arm, alpha, float(scale))
    mine, its = (posterior.with_best_intercept(value) for value in (fold_change, table.loc[gene, "lfc_apeglm"] * np.log(2)))
    top = posterior.top(table.loc[gene, "log2FoldChange"] * np.log(2))
    ours, theirs = (posterior.height_and_slope(beta)[0] - top for beta in (mine, its))
    gain = posterior.by_pydeseq2(its) - posterior.by_pydeseq2(mine) if alpha > 1e-6 else None
    rows.append([gene, ours, theirs, gain])
print(json.dumps(rows))
