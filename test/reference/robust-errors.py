"""Huber-White standard errors (HC0) of statsmodels' negative binomial GLM.

Arguments: JSON of {counts: genes x cells, perturbed: 0 or 1 a cell, sizeFactors, dispersions}. Prints the fold changes and
their standard errors, natural log, as JSON.
"""

import json
import sys

import numpy as np
import statsmodels.api as sm

task = json.loads(sys.argv[1])
design = sm.add_constant(np.asarray(task["perturbed"], dtype=float))
offset = np.log(task["sizeFactors"])
found = {"foldChange": [], "standardError": []}
for counts, alpha in zip(task["counts"], task["dispersions"]):
    family = sm.families.NegativeBinomial(alpha=alpha)
    fit = sm.GLM(np.asarray(counts), design, family=family, offset=offset).fit(cov_type="HC0", tol=1e-13, maxiter=300)
    found["foldChange"].append(float(fit.params[1]))
    found["standardError"].append(float(fit.bse[1]))
print(json.dumps(found))
