"""Likelihood-ratio statistics of single genes by scipy, summed over cells, with R's size factors and dispersions.

    python test/reference/nb-deseq2-judge.py DATA.h5ad TABLE CONTROL PERTURBATION GENES.json

TABLE is R's without `.csv.gz`; GENES.json lists names. The likelihood is scipy.stats.nbinom's, its maximum in the intercept of
either arm and of both together scipy's too. Prints as JSON, for each gene, the statistic, and what it would be if the mean of
normalised counts stood in for the maximum over both arms.
"""
import json
import sys

import anndata
import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.stats import nbinom


def log_likelihood(eta, counts, size_factors, dispersion):
    return nbinom.logpmf(counts, 1 / dispersion, 1 / (1 + dispersion * size_factors * np.exp(eta))).sum()


def largest_log_likelihood(counts, size_factors, dispersion):
    if counts.sum() == 0:
        return 0.0
    start = np.log(counts.sum() / size_factors.sum())
    of = lambda eta: -log_likelihood(eta, counts, size_factors, dispersion)
    return -minimize_scalar(of, bracket=(start - 0.5, start + 0.5), tol=1e-9).fun


data_path, base, control, perturbation, genes_path = sys.argv[1:]
factors = pd.read_csv(f"{base}_size_factors.csv.gz", index_col=0).iloc[:, 0]
dispersions = pd.read_csv(f"{base}.csv.gz", index_col=0)["dispersion"]
genes = json.load(open(genes_path))
cells = anndata.read_h5ad(data_path)[factors.index, genes]
counts, size_factors, labels = cells.X.toarray(), factors.to_numpy(), cells.obs["perturbation"].astype(str).to_numpy()
control_cells, perturbed_cells = labels == control, labels == perturbation
both = control_cells | perturbed_cells
rows = []
for column, gene in enumerate(genes):
    of = lambda arm: (counts[arm, column], size_factors[arm], dispersions[gene])
    full = largest_log_likelihood(*of(control_cells)) + largest_log_likelihood(*of(perturbed_cells))
    mean = (counts[both, column] / size_factors[both]).mean()
    rows.append([2 * (full - largest_log_likelihood(*of(both))), 2 * (full - log_likelihood(np.log(mean), *of(both)))])
print(json.dumps(rows))
