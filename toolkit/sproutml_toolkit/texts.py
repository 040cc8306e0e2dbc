"""Many long texts: their words are counted once, whatever the folds, trials and models that look at them.

Words are hashed, which learns nothing from the rows, so counts may be shared by all folds; what is learnt (which words are
common, their weights, the components) is learnt from a fold's training rows as ever. Counting 50,000 texts of a hundred words
takes seconds, and a dozen models of eight folds each would do it a hundred times.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from . import workspace

_LARGE = 5_000_000
_COUNTS = Path("work/texts")
_BUCKETS = 2**17
_MOST_WORDS, _FEWEST_TEXTS = 5_000, 5
_SVD_ROUNDS = 3
# A process that answers for long must not keep all it was ever asked.
_MOST_KNOWN = 500_000


def _is_large(values: pd.Series) -> bool:
    """Whether a column holds so much text, over five million characters, that counting its words takes seconds."""
    return sum(map(len, _texts(values))) > _LARGE


class WordTopics:
    """The main components of TF-IDF over a column's commonest words; fitted on a fold's training texts."""

    def __init__(self, width: int, seed: int) -> None:
        self.width = width
        self.seed = seed

    def fit(self, values: pd.Series) -> "WordTopics":
        counts = _counter.counts(_texts(values))
        holders = np.asarray((counts > 0).sum(axis=0)).ravel()
        common = np.flatnonzero(holders >= _FEWEST_TEXTS)
        self.words = np.sort(common[np.argsort(-holders[common], kind="stable")[:_MOST_WORDS]])
        self.weights = (np.log((1 + counts.shape[0]) / (1 + holders[self.words])) + 1).astype(np.float32)
        width = min(self.width, len(self.words) - 1)
        self.components = None
        if width >= 1:
            svd = TruncatedSVD(width, n_iter=_SVD_ROUNDS, random_state=self.seed).fit(self._tfidf(counts))
            self.components = svd.components_.astype(np.float32)
        return self

    def transform(self, values: pd.Series) -> np.ndarray:
        """(n, 2 + components): characters, words, components."""
        texts = _texts(values)
        lengths = np.array([(len(text), text.count(" ") + 1 if text else 0) for text in texts], dtype=np.float32).reshape(-1, 2)
        if self.components is None:
            return lengths
        return np.column_stack([lengths, self._tfidf(_counter.counts(texts)) @ self.components.T])

    def _tfidf(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        tfidf = counts[:, self.words].astype(np.float32)
        tfidf.data = 1 + np.log(tfidf.data)
        return normalize(tfidf.multiply(self.weights).tocsr())


def count_ahead(X: pd.DataFrame, features: list[dict[str, Any]]) -> list[str]:
    """Count the words of the training rows' large text columns, for `recall` in later commands. Returns their names."""
    found = [entry["name"] for entry in features if entry["kind"] == "text" and _is_large(X[entry["name"]])]
    for place, name in enumerate(found):
        counts = _counter.counts(_texts(X[name]))
        with workspace.atomic_write(_COUNTS / f"{place}.npz") as temporary, temporary.open("wb") as file:
            sparse.save_npz(file, counts, compressed=False)
    workspace.save_json(_COUNTS / "columns.json", found)
    return found


def recall(X: pd.DataFrame) -> None:
    """Take note of what `count_ahead` counted. X: the training rows."""
    if not (_COUNTS / "columns.json").is_file():
        return
    for place, name in enumerate(workspace.load_json(_COUNTS / "columns.json")):
        _counter.learn(_texts(X[name]), sparse.load_npz(_COUNTS / f"{place}.npz"))


def _texts(values: pd.Series) -> list[str]:
    """The cells, the very objects, with "" for missing."""
    return [value if isinstance(value, str) else "" for value in values.to_numpy(dtype=object)]


class _Counter:
    """Counts words of texts, and knows the counts again by the text objects, which it keeps."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hasher = HashingVectorizer(n_features=_BUCKETS, alternate_sign=False, norm=None, dtype=np.float32)
        self._forget()

    def _forget(self) -> None:
        self._texts: list[str] = []
        self._rows: dict[int, int] = {}
        self._counts = sparse.csr_matrix((0, _BUCKETS), dtype=np.float32)

    def counts(self, texts: list[str]) -> sparse.csr_matrix:
        """(n, buckets) how often each text has each hashed word."""
        with self._lock:
            if len(self._texts) > _MOST_KNOWN:
                self._forget()
            unknown = list({id(text): text for text in texts if id(text) not in self._rows}.values())
            if unknown:
                self._add(unknown, self._hasher.transform(unknown))
            return self._counts[[self._rows[id(text)] for text in texts]]

    def learn(self, texts: list[str], counts: sparse.csr_matrix) -> None:
        """Take note of counts that were made before; of equal objects the last one's hold, which are the same."""
        with self._lock:
            self._add(texts, counts)

    def _add(self, texts: list[str], counts: sparse.csr_matrix) -> None:
        self._rows |= {id(text): len(self._texts) + place for place, text in enumerate(texts)}
        self._texts += texts
        self._counts = sparse.vstack([self._counts, counts], format="csr")


_counter = _Counter()
