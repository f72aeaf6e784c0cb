"""What the validation needs Python for.

    python test/reference/validate-peers.py crispyx SCREEN.h5ad OUT.h5ad    crispyx's NB-GLM with its defaults
    python test/reference/validate-peers.py guides PAPALEXI.h5ad FOLDER     one file a non-targeting guide: it against the others

crispyx 0.2.2, anndata; the second also says the guides as JSON.
"""
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")


def crispyx(screen: str, out: str) -> None:
    import crispyx as cx

    cx.nb_glm_test(
        screen,
        perturbation_column="perturbation",
        control_label="non-targeting",
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
        file = anndata.AnnData(control.X, obs=pd.DataFrame({"perturbation": pd.Categorical(labels)}, index=control.obs_names), var=control.var[[]])
        file.write_h5ad(os.path.join(folder, f"{name}.h5ad"), compression="gzip")
    print(json.dumps(names))


{"crispyx": crispyx, "guides": guides}[sys.argv[1]](*sys.argv[2:])
