"""Size factors of crispyx's default method over a whole file. Usage: size-factors.py FILE"""

import json
import sys

from crispyx._size_factors import _median_of_ratios_size_factors

path = sys.argv[1]
print(
    json.dumps(
        {
            "scaled": _median_of_ratios_size_factors(path, scale=True).tolist(),
            "own": _median_of_ratios_size_factors(path, scale=False).tolist(),
        }
    )
)
