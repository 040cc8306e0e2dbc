"""scikit-learn's trees without what answers do not need: a fully grown forest is written in a quarter of the bytes and the time.

Of each node a tree keeps 64 bytes and the answer of every class as it was in training; an answer takes children, feature, threshold
and the way of missing values, and of leaves alone the answer. Features are float32, so a threshold may be the largest float32 that is
not above it; answers of classes are rounded to float32.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.tree._tree import Tree

_NODE = np.dtype(Tree(1, np.array([1]), 1).__getstate__()["nodes"].dtype)


@dataclass
class SlimTree:
    """left, right: (nodes,) children, -1 in leaves. feature, threshold, missing_left: (nodes,). answers: (leaves, classes) or
    (leaves, 1), in the order of their nodes."""

    inputs: int
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    answers: np.ndarray
    depth: int

    @classmethod
    def of(cls, tree: Any, classification: bool) -> "SlimTree":
        """From a fitted scikit-learn `Tree` of one output."""
        state = tree.__getstate__()
        nodes = state["nodes"]
        leaves = nodes["left_child"] < 0
        return cls(
            inputs=tree.n_features,
            left=nodes["left_child"].astype(np.int32),
            right=nodes["right_child"].astype(np.int32),
            feature=nodes["feature"].astype(np.int32),
            threshold=_not_above(nodes["threshold"]),
            missing_left=nodes["missing_go_to_left"].astype(np.uint8),
            answers=state["values"][leaves, 0].astype(np.float32 if classification else np.float64),
            depth=state["max_depth"],
        )

    def tree(self) -> Any:
        """A `Tree` that answers the same."""
        nodes = np.zeros(len(self.left), _NODE)
        nodes["left_child"], nodes["right_child"], nodes["feature"] = self.left, self.right, self.feature
        nodes["threshold"], nodes["missing_go_to_left"] = self.threshold, self.missing_left
        nodes["n_node_samples"], nodes["weighted_n_node_samples"] = 1, 1.0
        classes = self.answers.shape[1]
        values = np.zeros((len(nodes), 1, classes))
        values[self.left < 0, 0] = self.answers
        tree = Tree(self.inputs, np.array([classes], np.intp), 1)
        tree.__setstate__({"max_depth": self.depth, "node_count": len(nodes), "nodes": nodes, "values": values})
        return tree


def _not_above(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 that is not above each: no float32 lies between the two."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
