"""One method of one peer on one file, to be timed as a process: peer.py METHOD FILE OUT.

`decode` is the floor: h5py reads and decompresses the stored values and indices of X once, on one core. The other methods do
what their documentation recommends for a file of raw counts; crispyx's rank tests normalise the file first, since
its input has to be normalised.
"""

import os
import sys
import warnings

warnings.filterwarnings("ignore")

COLUMN, CONTROL = "perturbation", "non-targeting"
# Elements a read: 80 MB of float32, so that the time is spent in decompression and not in calls.
BLOCK = 20_000_000


def decode(path, out):
    import h5py

    with h5py.File(path) as file:
        for name in ("data", "indices"):
            stored = file["X"][name]
            for begin in range(0, stored.shape[0], BLOCK):
                stored[begin : begin + BLOCK]


def normalised(path):
    import anndata
    import scanpy

    screen = anndata.read_h5ad(path)
    scanpy.pp.normalize_total(screen, target_sum=1e4)
    scanpy.pp.log1p(screen)
    return screen


def scanpy_test(method, **options):
    def run(path, out):
        import scanpy

        scanpy.tl.rank_genes_groups(normalised(path), COLUMN, reference=CONTROL, method=method, **options)

    return run


def illico_wilcoxon(path, out):
    from illico import asymptotic_wilcoxon

    threads = len(os.sched_getaffinity(0))
    screen = normalised(path)
    # Its kernels take row offsets and column indices of one width only.
    screen.X.indptr = screen.X.indptr.astype(screen.X.indices.dtype)
    asymptotic_wilcoxon(screen, group_keys=COLUMN, reference=CONTROL, is_log1p=True, n_threads=threads)


def crispyx_test(method):
    def run(path, out):
        import crispyx

        options = dict(perturbation_column=COLUMN, control_label=CONTROL, output_dir=out, verbose=False, force=True)
        if method == "nb_glm_test":
            # Without a limit it takes more than 24 GB on 50,000 cells.
            crispyx.nb_glm_test(path, n_jobs=len(os.sched_getaffinity(0)), memory_limit_gb=16, **options)
            return
        crispyx.normalize_total_log1p(path, output_dir=out, data_name="normalised", verbose=False)
        (made,) = [name for name in os.listdir(out) if "normalised" in name and name.endswith(".h5ad")]
        getattr(crispyx, method)(os.path.join(out, made), **options)

    return run


METHODS = {
    "decode": decode,
    "scanpy-wilcoxon": scanpy_test("wilcoxon", tie_correct=True),
    "scanpy-t-test": scanpy_test("t-test"),
    "illico-wilcoxon": illico_wilcoxon,
    "crispyx-nb-glm": crispyx_test("nb_glm_test"),
    "crispyx-wilcoxon": crispyx_test("wilcoxon_test"),
    "crispyx-t-test": crispyx_test("t_test"),
}

if __name__ == "__main__":
    method, path, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    METHODS[method](path, out)
