"""The model families by name. A family's module has:

DEFAULTS      every parameter it takes, with its default (None: chosen from the data, as the module says)
STOPS_EARLY   True when it obeys a fold's deadline by itself
fit(fold, parameters) -> (encoder, estimator, effective parameters)
"""

import importlib
from types import ModuleType

from ..wire import ToolkitError

_MODULES = {
    "BASELINE": "baseline",
    "LIGHTGBM": "lightgbm",
    "CATBOOST": "catboost",
    "LINEAR": "linear",
    "RANDOM_FOREST": "random_forest",
    "EXTRA_TREES": "extra_trees",
    "KNN": "knn",
    "MLP": "mlp",
    "KERNEL": "kernel",
}


def family(name: str) -> ModuleType:
    """The module of a family; FAMILY_UNKNOWN when there is none of that name."""
    if name not in _MODULES:
        raise ToolkitError("FAMILY_UNKNOWN", f"there is no family {name!r}", f"Choose one of {', '.join(_MODULES)}.")
    return importlib.import_module(f".{_MODULES[name]}", __package__)
