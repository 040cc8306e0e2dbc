"""The part of SproutML that runs inside the sandbox: a table in, a trained and honestly scored model out.

The contract with the server is `toolkit/PROTOCOL.md`; `wire` and `commands` keep it.
"""

import os

__version__ = "0.1.0"

# Read by the native libraries when they are loaded, so it stands before any of them.
# OpenMP's threads spin while they wait, by default; with trials side by side they spin away the very processors they wait
# for (a fit of 0.6 s took 4.2 s).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A process that is to fork must have no BLAS threads; a trial raises this to the threads it was given.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
