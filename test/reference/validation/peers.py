"""What the validation needs Python for.

    python peers.py crispyx SCREEN.h5ad OUT.h5ad CONTROL             crispyx's NB-GLM with its defaults
    python peers.py guides PAPALEXI.h5ad FOLDER                      one file a non-targeting guide: it against the others
    python peers.py normalise COUNTS.h5ad OUT.h5ad                   crispyx's log1p of counts per 10,000
    python peers.py ranks NORMALISED.h5ad PREFIX CONTROL BATCH       crispyx's Wilcoxon and t-test with their defaults, and
                                                                     the t-test on the same values in double precision

crispyx 0.2.2, anndata; `guides` also says the guides as JSON.
"""
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")


def crispyx(screen: str, out: str, control: str) -> None:
    import crispyx as cx

    cx.nb_glm_test(
        screen,
        perturbation_column="perturbation",
        control_label=control,
        output_path=out,
        n_jobs=2,
        verbose=False,
        force=True,
    )


def guides(source: str, folder: str) -> None:
    import anndata
    import numpy as np
    import pandas as pd

    data = anndata.read_h5ad(source)
    control = data[data.obs["perturbation"] == "NT"].copy()
    names = sorted(control.obs["guide_id"].astype(str).unique())
    for name in names:
        labels = np.where(control.obs["guide_id"].astype(str) == name, name, "others")
        file = anndata.AnnData(control.X, obs=pd.DataFrame({"perturbation": pd.Categorical(labels), "batch": pd.Categorical(control.obs["bio_rep"].astype(str))}, index=control.obs_names), var=control.var[[]])
        file.write_h5ad(os.path.join(folder, f"{name}.h5ad"), compression="gzip")
    print(json.dumps(names))


def normalise(source: str, out: str) -> None:
    import crispyx as cx

    cx.normalize_total_log1p(source, output_path=out, verbose=False)


def ranks(source: str, prefix: str, control: str, batch: str) -> None:
    import anndata
    import crispyx as cx

    double = f"{prefix}_double.h5ad"
    data = anndata.read_h5ad(source)
    data.X = data.X.astype(float)
    data.write_h5ad(double)
    common = dict(perturbation_column="perturbation", control_label=control, verbose=False, force=True)
    cx.wilcoxon_test(source, output_path=f"{prefix}_wilcoxon.h5ad", **common)
    cx.t_test(source, output_path=f"{prefix}_t_test.h5ad", n_jobs=1, **common)
    cx.t_test(double, output_path=f"{prefix}_t_test_double.h5ad", n_jobs=1, **common)
    cx.wilcoxon_test(source, output_path=f"{prefix}_wilcoxon_batch.h5ad", batch_column=batch, **common)


{"crispyx": crispyx, "guides": guides, "normalise": normalise, "ranks": ranks}[sys.argv[1]](*sys.argv[2:])
