"""Writes one small h5ad file for each way of storing a matrix or a column, and a table of what is in them.

    python h5ad-variants.py FOLDER

FOLDER/table.json lists the files; FOLDER/<name>.f64 holds the matrices they should yield as dense little-endian float64, by rows.

Peers this was written against: anndata 0.12.19, h5py 3.16.0 (HDF5 2.0.0), hdf5plugin 7.1.0, numpy 2.4.6, pandas 2.3.3, scipy 1.17.1. Seed 20240607.
"""

import json
import sys
import warnings
from pathlib import Path

import anndata as ad
import h5py
import hdf5plugin
import numpy as np
import pandas as pd
import scipy.sparse as sp

warnings.simplefilter("ignore")
SEED = 20240607
CELLS, GENES = 230, 90
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(SEED)
table = []


def counts(cells=CELLS, genes=GENES, density=0.2, highest=9):
    """Whole numbers from 1 to `highest` where there is something, with empty rows at both ends and in between."""
    dense = rng.integers(1, highest + 1, (cells, genes)) * (rng.random((cells, genes)) < density)
    dense[[0, cells // 2, cells - 1]] = 0
    return dense.astype(np.float64)


BASE = counts()
dumps = {}


def dump(dense):
    """Name of the file that holds a matrix; equal matrices are written once."""
    dense = np.ascontiguousarray(np.asarray(dense, dtype="<f8"))
    key = (dense.shape, dense.tobytes())
    if key not in dumps:
        dumps[key] = f"matrix-{len(dumps)}.f64"
        dense.tofile(folder / dumps[key])
    return dumps[key]


def record(name, dense, *, single, matrix="X", unsupported=None, **more):
    """One line of the table; `single` says that values are held as float32."""
    dense = np.asarray(dense)
    table.append(
        dict(
            file=name,
            matrix=matrix,
            cells=dense.shape[0],
            genes=dense.shape[1],
            dump=None if unsupported else dump(dense),
            single=single,
            unsupported=unsupported,
            **more,
        )
    )


def frame_names(cells, genes):
    return pd.DataFrame(index=[f"c{i}" for i in range(cells)]), pd.DataFrame(index=[f"g{i}" for i in range(genes)])


def anndata_of(x, **more):
    obs, var = frame_names(*x.shape)
    return ad.AnnData(x, obs=obs, var=var, **more)


def skeleton(name, cells=CELLS, genes=GENES, **how):
    """An AnnData file without X, opened for writing."""
    plain = folder / "plain.h5ad"
    anndata_of(sp.csr_matrix((cells, genes), dtype=np.float32)).write_h5ad(plain)
    target = h5py.File(folder / name, "w", **how)
    with h5py.File(plain) as source:
        for key, value in source.attrs.items():
            target.attrs[key] = value
        for key in source:
            if key != "X":
                source.copy(key, target)
    plain.unlink()
    return target


def sparse_group(file, x, kind="csr", path="X", data=None, indices=None, indptr=None, types=(), how=None):
    """A sparse matrix by hand; `how` goes to create_dataset of data and indices."""
    value_type, index_type, offset_type = (*types, None, None, None)[:3]
    group = file.create_group(path)
    group.attrs["encoding-type"] = f"{kind}_matrix"
    group.attrs["encoding-version"] = "0.1.0"
    group.attrs["shape"] = np.array(x.shape)
    parts = dict(
        data=(x.data if data is None else data, value_type),
        indices=(x.indices if indices is None else indices, index_type),
        indptr=(x.indptr if indptr is None else indptr, offset_type),
    )
    for key, (values, dtype) in parts.items():
        values = values if dtype is None else values.astype(dtype)
        group.create_dataset(key, data=values, **((how or {}) if key != "indptr" else {}))
    return group


def by_hand(name, dense, *, kind="csr", types=("f4",), how=None, libver=None, userblock=0, single=True, **more):
    x = (sp.csr_matrix if kind == "csr" else sp.csc_matrix)(dense)
    options = dict(libver=libver) | (dict(userblock_size=userblock) if userblock else {})
    with skeleton(name, *dense.shape, **options) as file:
        sparse_group(file, x, kind, types=types, how=how)
    record(name, dense, single=single, **more)


def dense_by_hand(name, dense, *, dtype="f4", libver=None, single=True, unsupported=None, **how):
    with skeleton(name, *dense.shape, libver=libver) as file:
        file.create_dataset("X", data=dense.astype(dtype), **how)
    record(name, dense, single=single, unsupported=unsupported)


def written_by_anndata():
    makers = dict(csr=sp.csr_matrix, csc=sp.csc_matrix, dense=np.asarray)
    codecs = dict(
        none={},
        gzip=dict(compression="gzip"),
        lzf=dict(compression="lzf"),
        zstd=dict(hdf5plugin.Zstd()),
    )
    for kind, make in makers.items():
        for codec, how in codecs.items():
            name = f"anndata-{kind}-{codec}.h5ad"
            anndata_of(make(BASE.astype(np.float32))).write_h5ad(folder / name, **how)
            record(name, BASE, single=True)
    both = anndata_of(sp.csr_matrix(BASE.astype(np.float32)), layers=dict(counts=BASE * 2, logged=sp.csc_matrix(np.log1p(BASE))))
    both.raw = anndata_of(sp.csr_matrix(counts(CELLS, GENES + 7)))
    both.write_h5ad(folder / "layers.h5ad", compression="gzip")
    record("layers.h5ad", BASE * 2, single=False, matrix="layers/counts")
    record("layers.h5ad", np.log1p(BASE), single=False, matrix="layers/logged")
    record("layers.h5ad", both.raw.X.toarray(), single=False, matrix="raw/X", genes_total=GENES + 7)


def element_types():
    chunked = dict(chunks=(500,), compression="gzip")
    for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", ">f4", ">f8", ">i2", ">i4", ">i8", ">u2", ">f2"):
        kind, width = np.dtype(dtype).kind, np.dtype(dtype).itemsize
        single = width == 4 if kind == "f" else width <= 2
        name = dtype.replace(">", "big-")
        by_hand(f"csr-{name}.h5ad", BASE, types=(dtype,), how=chunked, single=single)
        dense_by_hand(f"dense-{name}.h5ad", BASE, dtype=dtype, single=single, chunks=(40, 13), compression="gzip")
    by_hand("csr-bool.h5ad", (BASE > 0).astype(float), types=(bool,), how=chunked)
    signed = BASE * rng.choice([-1, 1], BASE.shape)
    for dtype in ("i1", "i4", "i8", "f2", "f8"):
        kind, width = np.dtype(dtype).kind, np.dtype(dtype).itemsize
        by_hand(f"csr-signed-{dtype}.h5ad", signed, types=(dtype,), how=chunked, single=kind == "i" and width <= 2)
    by_hand("csr-large-i8.h5ad", BASE * 2.0**45, types=("i8",), how=chunked, single=False)
    by_hand("csr-large-u8.h5ad", BASE * 2.0**60, types=("u8",), how=chunked, single=False)
    by_hand("csr-large-u4.h5ad", BASE * 2.0**28, types=("u4",), how=chunked, single=False)
    real = np.where(BASE > 0, rng.normal(0, 1, BASE.shape) * 10.0 ** rng.integers(-20, 20, BASE.shape), 0)
    by_hand("csr-real-f8.h5ad", real, types=("f8",), how=chunked, single=False)
    by_hand("csr-real-f4.h5ad", real.astype("f4").astype("f8"), types=("f4",), how=chunked)
    half = (np.where(BASE > 0, rng.normal(0, 1, BASE.shape), 0) * 1e-5).astype("f2")
    by_hand("csr-real-f2.h5ad", half.astype("f8"), types=("f2",), how=chunked, single=False)
    for index in ("i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">i8", ">u8"):
        for offsets in ("i4", "i8", "u8"):
            name = f"csr-index-{index}-{offsets}.h5ad".replace(">", "big-")
            by_hand(name, BASE, types=("f4", index, offsets), how=chunked)
    by_hand("csc-index-i8.h5ad", BASE, kind="csc", types=("u2", "i8", "i8"), how=chunked)


def filters():
    combinations = dict(
        shuffle=dict(compression="gzip", shuffle=True),
        fletcher=dict(fletcher32=True),
        gzip_fletcher=dict(compression="gzip", fletcher32=True),
        shuffle_gzip_fletcher=dict(compression="gzip", shuffle=True, fletcher32=True),
        shuffle_lzf=dict(compression="lzf", shuffle=True),
        lzf_fletcher=dict(compression="lzf", fletcher32=True),
        shuffle_only=dict(shuffle=True),
        gzip9=dict(compression="gzip", compression_opts=9),
    )
    for name, how in combinations.items():
        for dtype in ("f4", "i8", "u2", "u1"):
            by_hand(f"csr-{name}-{dtype}.h5ad", BASE, types=(dtype,), how=dict(chunks=(333,), **how), single=dtype[1] != "8")
        dense_by_hand(f"dense-{name}.h5ad", BASE, chunks=(17, 40), **how)
    # By hand, since some of these plugins crash on the strings that anndata would hand them.
    plugins = dict(
        blosc=hdf5plugin.Blosc(cname="lz4"),
        blosc2=hdf5plugin.Blosc2(),
        blosc_zstd=hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.BITSHUFFLE),
        lz4=hdf5plugin.LZ4(),
        bitshuffle=hdf5plugin.Bitshuffle(cname="none"),
        bitshuffle_lz4=hdf5plugin.Bitshuffle(cname="lz4"),
        bzip2=hdf5plugin.BZip2(),
        zstd=hdf5plugin.Zstd(),
    )
    for name, plugin in plugins.items():
        by_hand(f"csr-{name}.h5ad", BASE, how=dict(chunks=(512,), **plugin))
        by_hand(f"csc-{name}.h5ad", BASE, kind="csc", types=("i4", "i8"), how=dict(chunks=(512,), **plugin), single=False)
        dense_by_hand(f"dense-{name}.h5ad", BASE, dtype=">f4", chunks=(32, 24), **plugin)
    # A chunk that does not shrink is stored as it is, and its mask says so.
    noise = np.where(rng.random(BASE.shape) < 0.5, rng.random(BASE.shape), 0)
    by_hand("csr-noise-lzf.h5ad", noise, types=("f8",), how=dict(chunks=(64,), compression="lzf", shuffle=True), single=False)
    by_hand("csr-szip.h5ad", BASE, how=dict(chunks=(512,), compression="szip"), unsupported="szip")
    by_hand("csr-scaleoffset.h5ad", BASE, types=("i4",), how=dict(chunks=(512,), scaleoffset=0), unsupported="scaleoffset", single=False)


def layouts():
    for libver in ("earliest", "latest", ("earliest", "v108"), "v110"):
        label = "-".join(libver) if isinstance(libver, tuple) else libver
        for codec in (None, "gzip"):
            for maxshape in (None, (None,), (50000,)):
                how = dict(chunks=(100,), compression=codec, maxshape=maxshape)
                grows = dict.fromkeys((None,), "fixed").get(maxshape, "unlimited" if maxshape == (None,) else "bounded")
                by_hand(f"csr-{label}-{codec}-{grows}.h5ad", BASE, how=how, libver=libver)
            for i, maxshape in enumerate(((None, None), (None, GENES), (CELLS, None), (CELLS + 90, GENES + 50), (None, GENES + 50), (CELLS + 90, None), None)):
                dense_by_hand(f"dense-{label}-{codec}-{i}.h5ad", BASE, libver=libver, chunks=(20, 12), compression=codec, maxshape=maxshape)
        by_hand(f"csr-{label}-contiguous.h5ad", BASE, libver=libver)
        by_hand(f"csr-{label}-userblock.h5ad", BASE, libver=libver, userblock=1024, how=dict(chunks=(100,), compression="gzip"))
        by_hand(f"csr-{label}-single.h5ad", BASE, libver=libver, how=dict(chunks=(int((BASE > 0).sum()),), compression="gzip"))
        by_hand(f"csr-{label}-single-plain.h5ad", BASE, libver=libver, how=dict(chunks=(int((BASE > 0).sum()),)))
        sparse_chunks(f"dense-{label}-unwritten.h5ad", libver)
        low_level(f"dense-{label}-early.h5ad", libver, early=True)
        low_level(f"dense-{label}-compact.h5ad", libver, early=False)
    # Enough chunks for paged arrays, several super blocks and trees of several levels.
    large = counts(400, 600, 0.9)
    for libver in ("earliest", "latest"):
        for codec in (None, "gzip"):
            for maxshape in (None, (None,)):
                # Data blocks of an extensible array have pages from 131,056 entries on.
                chunk = 1 if libver == "latest" and codec is None and maxshape else 7
                name = f"many-{libver}-{codec}-{'fixed' if maxshape is None else 'unlimited'}.h5ad"
                by_hand(name, large, libver=libver, how=dict(chunks=(chunk,), compression=codec, maxshape=maxshape))
        dense_by_hand(f"many-dense-{libver}.h5ad", large, libver=libver, chunks=(3, 5), maxshape=(None, None), compression="gzip")


def sparse_chunks(name, libver):
    """Most chunks are never written: they hold the fill value."""
    expected = np.full((CELLS, GENES), 3.0)
    with skeleton(name, libver=libver) as file:
        x = file.create_dataset("X", (CELLS, GENES), "f4", chunks=(20, 12), maxshape=(None, None), compression="gzip", fillvalue=3)
        x[100:110, 30:40] = 0
        x[229, 89] = 7
    expected[100:110, 30:40] = 0
    expected[229, 89] = 7
    record(name, expected, single=True)


def low_level(name, libver, early):
    """Layouts that h5py's own interface does not offer: space allocated ahead of writing, and within the header."""
    dense = BASE if early else BASE[:20, :30]
    with skeleton(name, *dense.shape, libver=libver) as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if early:
            plist.set_chunk((20, 12))
            plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        else:
            plist.set_layout(h5py.h5d.COMPACT)
        dataset = h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(dense.shape), plist)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, dense.astype("f4"))
    record(name, dense, single=True)


def shapes():
    chunked = dict(chunks=(50,), compression="gzip")
    for cells, genes in ((1, 40), (40, 1), (1, 1), (3, 5000)):
        dense = counts(cells, genes, 0.6) + (np.arange(genes) % 2 == 0)
        for kind in ("csr", "csc"):
            by_hand(f"shape-{kind}-{cells}-{genes}.h5ad", dense, kind=kind, how=dict(chunks=(1,)) if cells * genes == 1 else dict(chunks=(20,)))
        dense_by_hand(f"shape-dense-{cells}-{genes}.h5ad", dense, compression="gzip")
    for cells, genes in ((0, 30), (30, 0), (25, 30)):
        nothing = np.zeros((cells, genes), dtype=np.float32)
        for kind, make in dict(csr=sp.csr_matrix, csc=sp.csc_matrix, dense=np.asarray).items():
            name = f"nothing-{kind}-{cells}-{genes}.h5ad"
            anndata_of(make(nothing)).write_h5ad(folder / name)
            record(name, nothing, single=True)
    for chunks in ((CELLS, 1), (1, GENES), (CELLS, GENES), (7, 11), (CELLS, 40)):
        dense_by_hand(f"dense-chunks-{chunks[0]}-{chunks[1]}.h5ad", BASE, chunks=chunks, compression="gzip")
    irregular(chunked)


def irregular(how):
    """Unsorted rows and stored zeros: allowed, and put right."""
    x = sp.csr_matrix(BASE)
    data, indices = x.data.copy(), x.indices.copy()
    for begin, end in zip(x.indptr, x.indptr[1:]):
        order = rng.permutation(end - begin) + begin
        data[begin:end], indices[begin:end] = x.data[order], x.indices[order]
    expected = BASE.copy()
    dropped = rng.random(data.size) < 0.1
    data[dropped] = 0
    rows = np.repeat(np.arange(CELLS), np.diff(x.indptr))
    expected[rows[dropped], indices[dropped]] = 0
    with skeleton("csr-unsorted.h5ad") as file:
        sparse_group(file, x, data=data, indices=indices, types=("f4",), how=how)
    record("csr-unsorted.h5ad", expected, single=True)
    c = sp.csc_matrix(BASE)
    data, indices = c.data.copy(), c.indices.copy()
    for begin, end in zip(c.indptr, c.indptr[1:]):
        data[begin:end], indices[begin:end] = c.data[begin:end][::-1], c.indices[begin:end][::-1]
    with skeleton("csc-unsorted.h5ad") as file:
        sparse_group(file, c, "csc", data=data, indices=indices, types=("f4",), how=how)
    record("csc-unsorted.h5ad", BASE, single=True)


def columns_of(frame):
    """What a frame's columns hold, as text and codes; missing is None."""
    found = {}
    for name in frame.columns:
        column = frame[name]
        missing = column.isna().to_numpy()
        if isinstance(column.dtype, pd.CategoricalDtype):
            found[name] = dict(
                kind="categorical",
                codes=column.cat.codes.tolist(),
                categories=[str(category) for category in column.cat.categories],
                ordered=bool(column.cat.ordered),
            )
            continue
        kind = {"i": "integer", "u": "integer", "f": "float", "b": "boolean"}.get(getattr(column.dtype, "kind", "O"), "string")
        found[name] = dict(kind=kind, texts=[None if gone else str(value) for value, gone in zip(column, missing)])
    return found


def columns():
    n = 40
    x = sp.csr_matrix(counts(n, 5).astype(np.float32))
    a = anndata_of(x)
    every = np.arange(n)
    a.obs["categorical"] = pd.Categorical(np.array(["b", "a", "ctrl"])[every % 3])
    a.obs["ordered"] = pd.Categorical(np.array(["low", "high"])[every % 2], categories=["low", "mid", "high"], ordered=True)
    a.obs["missing"] = pd.Categorical([None if i % 4 == 0 else "x" for i in every])
    a.obs["many"] = pd.Categorical([f"p{i % 37}" for i in every], categories=[f"p{i}" for i in range(300)])
    a.obs["numbered"] = pd.Categorical(every % 4)
    a.obs["halves"] = pd.Categorical((every % 4) / 2)
    a.obs["truth"] = pd.Categorical(every % 2 == 0)
    a.obs["text"] = ["é中🧬", "", "plain", "with \"quotes\"", "x/y"] * (n // 5)
    a.obs["i8"] = every.astype(np.int8) - 20
    a.obs["u16"] = every.astype(np.uint16) * 1000
    a.obs["i64"] = every * 10**12
    a.obs["beyond"] = every + 2**60
    a.obs["u64"] = every.astype(np.uint64) + np.uint64(2**63)
    a.obs["f64"] = rng.normal(0, 1, n)
    a.obs["whole"] = every.astype(float)
    a.obs["bool"] = every % 3 == 0
    a.obs["nullable_int"] = pd.array([None if i % 5 == 0 else int(i) for i in every], dtype="Int64")
    a.obs["nullable_u8"] = pd.array([None if i % 5 == 0 else int(i) for i in every], dtype="UInt8")
    a.obs["nullable_bool"] = pd.array([None if i % 5 == 0 else bool(i % 2) for i in every], dtype="boolean")
    with ad.settings.override(allow_write_nullable_strings=True):
        a.obs["nullable_string"] = pd.array([None if i % 5 == 0 else f"s{i}" for i in every], dtype="string")
        for name, how in dict(plain={}, gzip=dict(compression="gzip"), lzf=dict(compression="lzf"), zstd=dict(hdf5plugin.Zstd())).items():
            a.write_h5ad(folder / f"columns-{name}.h5ad", **how)
            record(f"columns-{name}.h5ad", x.toarray(), single=True, columns=columns_of(a.obs), obs_names=list(a.obs_names))
    b = a[:, :].copy()
    b.obs = b.obs[["categorical", "f64"]]
    b.obs.index.name = "barcode"
    b.obs_names = [f"é{i}" for i in every]
    b.var_names = ["twice", "once", "twice", "other", "twice"]
    b.write_h5ad(folder / "columns-named.h5ad")
    record("columns-named.h5ad", x.toarray(), single=True, columns=columns_of(b.obs), obs_names=list(b.obs_names), duplicate_genes=2)
    old_encodings(a, x)


def old_encodings(a, x):
    """As anndata 0.7 wrote: categories beside the columns, no encoding of the file, the sparse format in other attributes."""
    n = a.n_obs
    with h5py.File(folder / "columns-old.h5ad", "w") as file:
        text = h5py.string_dtype()
        obs, var = file.create_group("obs"), file.create_group("var")
        obs.attrs["_index"], var.attrs["_index"] = "cells", "index"
        obs.attrs["column-order"] = np.array(["categorical", "fixed", "half"], dtype=object)
        obs.create_dataset("cells", data=list(a.obs_names), dtype=text)
        var.create_dataset("index", data=np.array(list(a.var_names), dtype="S8"))
        codes = obs.create_dataset("categorical", data=a.obs["categorical"].cat.codes.to_numpy())
        categories = obs.create_group("__categories").create_dataset("categorical", data=["a", "b", "ctrl"], dtype=text)
        categories.attrs["ordered"] = False
        codes.attrs["categories"] = categories.ref
        obs.create_dataset("fixed", data=np.array([f"f{i}" for i in range(n)], dtype="S5"))
        obs.create_dataset("half", data=np.arange(n).astype(np.float16))
        group = file.create_group("X")
        group.attrs["h5sparse_format"] = "csr"
        group.attrs["h5sparse_shape"] = np.array(x.shape)
        for key in ("data", "indices", "indptr"):
            group.create_dataset(key, data=getattr(x, key), compression="gzip")
    frame = pd.DataFrame(
        dict(categorical=a.obs["categorical"].to_numpy(), fixed=[f"f{i}" for i in range(n)], half=np.arange(n).astype(float)),
    ).astype(dict(categorical="category"))
    record("columns-old.h5ad", x.toarray(), single=True, columns=columns_of(frame), obs_names=list(a.obs_names))


for part in (written_by_anndata, element_types, filters, layouts, shapes, columns):
    part()
(folder / "table.json").write_text(json.dumps(table))
print(json.dumps(dict(files=len(table), anndata=ad.__version__, h5py=h5py.__version__, hdf5=h5py.version.hdf5_version)))
