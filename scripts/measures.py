#!/usr/bin/env python3
"""Computes measures of distributions with numpy and scipy, which share no code with restage.

Reads lines of JSON on standard input and answers each with one:
    {"ks": [[…], […]]}           largest difference of the distributions of two samples
    {"psi": [[…], […]]}          population stability index over ten bins that hold equal shares of the first
    {"spearman": [[…], […]]}     rank correlation of pairs
    {"ordered": [[…], […]]}      rows of every value in the table, in a class: earth mover's distance over ranks
    {"equal": [[…], […]]}        the same: total variation
    {"effective": […]}           rows of every value in a class: e to the power of the entropy
Exit 3 if scipy is not installed (`pip install scipy`; scripts/test puts it into target/venv).
"""

import json
import sys

try:
    import numpy as np
    from scipy import stats
except ImportError:
    sys.exit(3)


def psi(source, staging):
    ends = np.unique(np.quantile(source, np.arange(1, 10) / 10, method="inverted_cdf"))
    edges = np.concatenate([[-np.inf], ends, [np.inf]])
    # numpy closes bins on the left; ours end with the value, so both signs are turned round.
    was, _ = np.histogram(-np.asarray(source), bins=-edges[::-1])
    now, _ = np.histogram(-np.asarray(staging), bins=-edges[::-1])
    was = np.maximum(was / len(source), 1e-4)
    now = np.maximum(now / len(staging), 1e-4)
    return float(np.sum((now - was) * np.log(now / was)))


def ordered(table, inside):
    places = np.arange(len(table))
    return stats.wasserstein_distance(places, places, inside, table) / (len(table) - 1)


def equal(table, inside):
    return float(np.abs(np.asarray(inside) / sum(inside) - np.asarray(table) / sum(table)).sum() / 2)


MEASURES = {
    "ks": lambda pair: stats.ks_2samp(*pair).statistic,
    "psi": lambda pair: psi(*pair),
    "spearman": lambda pair: stats.spearmanr(*pair).statistic,
    "ordered": lambda pair: ordered(*pair),
    "equal": lambda pair: equal(*pair),
    "effective": lambda rows: np.exp(stats.entropy(rows)),
}

for line in sys.stdin:
    [(name, asked)] = json.loads(line).items()
    print(float(MEASURES[name](asked)))
