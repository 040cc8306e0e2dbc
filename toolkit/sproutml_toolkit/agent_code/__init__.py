"""Python that an agent wrote: what it may define, where it runs, and how what it leaves is read.

It runs in a sandbox of its own (`inside`), never in a trusted process: that one lays out what it may see (`layout`) and reads
plain arrays of what it made (`reading`). On a person's own machine, where a finished model is used, it runs in place (`model`).
"""
