"""Single genes of made-up comparisons by statsmodels and PyDESeq2. Usage: cell-glm.py statsmodels | pydeseq2 BATCHES"""

import json
import sys
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
random = np.random.default_rng(5)


def comparison(n_cells, n_perturbed, n_genes, n_covariates):
    """Counts of means from 0.1 to 50, reference cells first, and covariates that matter."""
    arm = np.arange(n_cells) >= n_cells - n_perturbed
    covariates = random.normal(size=(n_covariates, n_cells))
    size_factors = np.exp(0.6 * random.normal(size=n_cells))
    mean = 0.1 * 500 ** (np.arange(n_genes) / (n_genes - 1))
    eta = 0.5 * np.outer(arm, np.cos(np.arange(n_genes))) + 0.3 * random.normal(size=(n_cells, n_genes))
    for c, covariate in enumerate(covariates):
        eta += 0.2 * np.outer(covariate, np.cos(np.arange(n_genes) + c + 1))
    return arm, covariates, size_factors, random.poisson(np.exp(eta) * mean * size_factors[:, None])


def by_statsmodels():
    import statsmodels.api as sm

    arm, covariates, size_factors, counts = comparison(240, 80, 20, 2)
    design = np.column_stack([np.ones(len(arm)), arm, covariates.T]).astype(float)
    alphas = [[0.01, 0.2, 1, 5][gene % 4] for gene in range(counts.shape[1])]
    genes = []
    for y, alpha in zip(counts.T, alphas):
        def fit(x, **options):
            model = sm.GLM(y, x, family=sm.families.NegativeBinomial(alpha=alpha), offset=np.log(size_factors))
            return model.fit(tol=1e-14, maxiter=500, **options)

        full, robust, null = fit(design), fit(design, cov_type="HC0"), fit(np.delete(design, 1, axis=1))
        genes.append(
            {
                "coefficients": full.params.tolist(),
                "fisher": full.bse[1],
                "robust": robust.bse[1],
                "statistic": 2 * (full.llf - null.llf),
            }
        )
    columns = [arm.astype(int).tolist(), *covariates.tolist()]
    return {"counts": counts.T.tolist(), "columns": columns, "sizeFactors": size_factors.tolist(), "alphas": alphas, "genes": genes}


def by_pydeseq2(n_batches):
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference

    arm, _, _, counts = comparison(60, 25, 40, 0)
    # One cell with far too many counts in every third gene; another three in every ninth.
    for gene in range(0, 40, 3):
        for cell in range(4 if gene % 9 == 0 else 1):
            counts[cell, gene] += 60 * (1 + gene) + (cell > 0)
    batch = np.arange(len(arm)) % n_batches
    names = [f"cell{i}" for i in range(len(arm))]
    metadata = pd.DataFrame({"arm": np.where(arm, "perturbed", "actrl"), "batch": [f"b{b}" for b in batch]}, index=names)
    dds = DeseqDataSet(
        counts=pd.DataFrame(counts, index=names, columns=[f"gene{g}" for g in range(counts.shape[1])]),
        metadata=metadata,
        design="~arm" if n_batches == 1 else "~arm+batch",
        size_factors_fit_type="poscounts",
        refit_cooks=False,
        inference=DefaultInference(n_cpus=1),
        quiet=True,
    )
    dds.deseq2()
    columns = [arm.astype(int).tolist(), *((batch == b).astype(int).tolist() for b in range(1, n_batches))]
    return {
        "counts": counts.T.tolist(),
        "columns": columns,
        "sizeFactors": dds.obs["size_factors"].tolist(),
        "alphas": dds.var["dispersions"].tolist(),
        "cooks": dds.layers["cooks"].max(axis=0).tolist(),
        "outlier": [bool(one) for one in dds.cooks_outlier()],
        "coefficients": dds.varm["LFC"].values.tolist(),
    }


print(json.dumps(by_statsmodels() if sys.argv[1] == "statsmodels" else by_pydeseq2(int(sys.argv[2]))))
