"""Two-sided normal and Student tails to 50 digits: makes tails.csv beside this file.

    python test/reference/tails.py > test/reference/tails.csv

Checked with mpmath 1.4.1; there is no randomness. Each row is one value: `df` is `inf` for the normal distribution. Inputs
are printed with 17 digits, so that a reader recovers the doubles that were used.
"""
import importlib.metadata

import mpmath as mp

mp.mp.dps = 50


def expansion_coefficients(count):
    """Taylor coefficients, in t^2, of sqrt((t/2)/sinh(t/2)): the power -1/2 of a known series (J. C. P. Miller)."""
    series = [mp.mpf(1) / (mp.factorial(2 * k + 1) * 4**k) for k in range(count)]
    power = -mp.mpf(1) / 2
    out = [mp.mpf(1)]
    for n in range(1, count):
        out.append(sum((k * power - (n - k)) * series[k] * out[n - k] for k in range(1, n + 1)) / n)
    return out


def normal(z):
    return mp.erfc(abs(mp.mpf(z)) / mp.sqrt(2))


def student(t, df):
    """I_x(a, 1/2) with x = e^-xi: by quadrature of the tail, or 1 minus the hypergeometric series near the centre."""
    t, df = abs(mp.mpf(t)), mp.mpf(df)
    a, xi = df / 2, mp.log1p(t * t / df)
    beta = mp.gamma(mp.mpf(1) / 2) * mp.exp(mp.loggamma(a) - mp.loggamma(a + mp.mpf(1) / 2))
    if t * t < 3:
        inside = -mp.expm1(-xi)
        return 1 - 2 * mp.sqrt(inside) * mp.hyp2f1(mp.mpf(1) / 2, 1 - a, mp.mpf(3) / 2, inside) / beta
    # integral of e^-(a tau) (1 - e^-tau)^(-1/2) over tau = xi + v/a
    integrand = lambda v: mp.exp(-v) / mp.sqrt(-mp.expm1(-xi - v / a))
    return mp.exp(-a * xi) * mp.quad(integrand, [0, 0.5, 1.5, 4, 10, 25, 60, 130, 300]) / (a * beta)


def row(x, df, p):
    print(f"{x!r},{df},{mp.nstr(p, 25)},{mp.nstr(mp.log10(p), 25)}")


if __name__ == "__main__":
    print(f"# test/reference/tails.py, mpmath {importlib.metadata.version('mpmath')}, 50 digits; x is z or t; p two-sided")
    print("x,df,p,log10_p")
    for z in (0.0, 1e-9, 1e-3, 0.1, 0.5, 1.0, 1.5, 1.96, 2.5, 3.3, 4.7, 6.0, 8.25, 12.5, 20.0, 30.1, 37.4, 40.0, 75.5, 150.0, 300.0, 1234.5):
        row(z, "inf", normal(z))
    for df in (1.0, 1.5, 2.0, 3.7, 5.0, 10.25, 19.9, 29.999, 30.0, 31.5, 47.0, 100.0, 333.3, 1e3, 12345.6, 1e5, 1e6, 1e7):
        for t in (1e-6, 0.01, 0.5, 1.0, 1.7, 1.8, 2.5, 4.0, 7.1, 12.0, 25.0, 36.0, 60.0, 120.5, 300.0, 500.0):
            row(t, repr(df), student(t, df))
