"""The part of SproutML that runs inside the sandbox: a table in, a trained and honestly scored model out.

The contract with the server is `toolkit/PROTOCOL.md`; `wire` and `__main__` keep it.
"""

__version__ = "0.1.0"
