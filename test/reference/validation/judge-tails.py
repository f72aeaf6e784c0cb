"""Errors of two-sided p-values, by mpmath at 60 digits.

    python judge-tails.py '[{"df": "inf" | "chi-square" | "2.5", "bands": [[[statistic, p, log10 p], …], …]}, …]'

Prints for each band the largest relative error of the p-values that are normal doubles (null: there is none), and the largest
error of log10 p, relative to at least 1. A reference that does not repeat at 40 digits ends the script.
"""
import json
import pathlib
import sys

import mpmath as mp

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from tails import normal, student  # noqa: E402


def p_value(df, x):
    if df == "inf":
        return normal(x)
    return normal(mp.sqrt(mp.mpf(x))) if df == "chi-square" else student(x, df)


def reference(df, x):
    with mp.workdps(40):
        rough = p_value(df, x)
    p = p_value(df, x)
    assert abs(rough / p - 1) < mp.mpf(10) ** -30, (df, x)
    return p


def judge(df, values):
    of_p, of_log = [], []
    for x, p, log10_p in values:
        expected = reference(df, x)
        log10_expected = mp.log10(expected)
        of_log.append(abs(log10_p - log10_expected) / max(1, abs(log10_expected)))
        if expected >= sys.float_info.min:
            of_p.append(abs(p / expected - 1))
    return {"p": float(max(of_p)) if of_p else None, "log10P": float(max(of_log))}


mp.mp.dps = 60
print(json.dumps([[judge(one["df"], band) for band in one["bands"]] for one in json.loads(sys.argv[1])]))
