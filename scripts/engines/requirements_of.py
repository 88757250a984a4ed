"""Prints what an installed package requires, a line each, but for the packages named: python requirements_of.py PACKAGE LEFT_OUT..."""

import re
import sys
from importlib.metadata import requires

package, *left_out = sys.argv[1:]
for line in requires(package) or []:
    if "extra ==" not in line and re.match(r"[\w.-]+", line).group() not in left_out:
        print(line)
