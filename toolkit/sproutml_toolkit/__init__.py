"""The part of SproutML that runs inside the sandbox: a table in, a trained and honestly scored model out.

The contract with the server is `toolkit/PROTOCOL.md`; `wire` and `__main__` keep it.
"""

import os

__version__ = "0.1.0"

# OpenMP reads this when it is loaded, so it stands before any library. Its threads spin while they wait, by default; with
# trials side by side they spin away the very processors they wait for (a fit of 0.6 s took 4.2 s).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
