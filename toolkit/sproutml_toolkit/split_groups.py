"""Split by group: all rows of one customer, patient or site are on the same side, of the holdout and of every fold.

Classes (or tenths of a numeric target) are spread as evenly as whole groups allow: greedily, in the manner of scikit-learn's
StratifiedGroupKFold, and with a regard for sizes that it lacks.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .split_keys import Groups
from .wire import ToolkitError

# So many groups are placed one by one; chance spreads those that are smaller still.
_PLACED_ONE_BY_ONE = 50_000
_MOST_PARTS = 20
_FEW = 5


@dataclass
class ByGroup:
    """Splits (n,) rows by their group; `strata` is what to spread evenly, classes or tenths of the target."""

    groups: Groups
    strata: np.ndarray
    classification: bool
    rng: np.random.Generator
    stratified = True

    def seal(self, size: int) -> np.ndarray:
        """Sorted positions of about `size` rows, in whole groups: the fairest of the parts dealt. Error: TOO_FEW_GROUPS."""
        numbers = self.groups.numbers
        count = len(np.unique(numbers))
        needed = 3 if size else 2
        if count < needed:
            self._refuse(f"{count} group{'s' if count != 1 else ''}, and a fair score takes {needed} at least")
        if size == 0:
            return np.empty(0, dtype=np.int64)
        share = Fraction(size, len(numbers)).limit_denominator(_MOST_PARTS) or Fraction(1, round(len(numbers) / size))
        parts = min(share.denominator, count)
        dealt = deal_groups(numbers, self.strata, parts, self.rng)
        held = np.isin(dealt, self._fairest(dealt, parts, max(round(share * parts), 1)))
        if self.classification:
            self._give_back(held)
        if not held.any():
            self._refuse("groups, but none can be sealed: each holds all rows of some class")
        return np.flatnonzero(held)

    def most_folds(self, kept: np.ndarray) -> int:
        """As many as there are groups; with two classes, as there are groups with the class that fewer of them have."""
        groups, strata = self.groups.numbers[kept], self.strata[kept]
        values = np.unique(strata)
        if not self.classification or len(values) > 2:
            return len(np.unique(groups))
        return max(min(len(np.unique(groups[strata == value])) for value in values), 2)

    def deal(self, kept: np.ndarray, folds: int) -> np.ndarray:
        """(kept,) fold numbers."""
        return deal_groups(self.groups.numbers[kept], self.strata[kept], folds, self.rng)

    def say(self, held: np.ndarray, kept: np.ndarray, folds: int) -> list[str]:
        """How rows were split, in sentences."""
        numbers, column = self.groups.numbers, self.groups.column
        together = f'No value of "{column}" is in two of the {folds} folds.'
        if len(held) == 0:
            return [together]
        sealed, everyone = len(np.unique(numbers[held])), len(np.unique(numbers))
        verb = "is" if sealed == 1 else "are"
        first = f'{sealed:,} of the {everyone:,} groups of "{column}" {verb} sealed, unseen in training.'
        return [first, f"{together} What is chosen or encoded inside a fold keeps groups whole as well."]

    def warnings(self, held: np.ndarray, kept: np.ndarray) -> list[dict[str, str]]:
        """What makes the score of a few groups uncertain."""
        sealed = len(np.unique(self.groups.numbers[held]))
        if not 0 < sealed < _FEW:
            return []
        message = f"only {sealed} group{'s are' if sealed > 1 else ' is'} sealed: the holdout score depends on which"
        return [{"code": "FEW_GROUPS", "message": message}]

    def _refuse(self, what: str) -> None:
        raise ToolkitError(
            "TOO_FEW_GROUPS",
            f'"{self.groups.column}" has {what}',
            "Name a column with more groups, or leave groupColumn out if new rows will be of the same groups.",
        )

    def _fairest(self, dealt: np.ndarray, parts: int, wanted: int) -> list[int]:
        """The `wanted` parts that differ least from the whole in size and mix, as long as two groups stay for training."""
        _, strata = np.unique(self.strata, return_inverse=True)
        kinds = int(strata.max()) + 1
        mix = np.bincount(dealt * kinds + strata, minlength=parts * kinds).reshape(parts, kinds) / np.bincount(strata)
        sizes = np.bincount(dealt, minlength=parts) / len(dealt)
        unlike = ((mix - 1 / parts) ** 2).sum(axis=1) + kinds * (sizes - 1 / parts) ** 2
        one_row_of_each = np.unique(self.groups.numbers, return_index=True)[1]
        groups = np.bincount(dealt[one_row_of_each], minlength=parts)
        chosen: list[int] = []
        left = len(one_row_of_each)
        for part in np.argsort(unlike, kind="stable"):
            if len(chosen) < wanted and left - groups[part] >= 2:
                chosen.append(int(part))
                left -= groups[part]
        return chosen

    def _give_back(self, held: np.ndarray) -> None:
        """Take out of `held`, in place, a smallest group of each class that has no other row: else no model could name it."""
        for value in np.setdiff1d(self.strata[held], self.strata[~held]):
            if value in self.strata[~held]:
                continue
            having = np.unique(self.groups.numbers[held & (self.strata == value)])
            smallest = min(having, key=lambda group: int((self.groups.numbers == group).sum()))
            held &= self.groups.numbers != smallest


def deal_groups(
    groups: np.ndarray, strata: np.ndarray, parts: int, rng: np.random.Generator, placed: int = _PLACED_ONE_BY_ONE
) -> np.ndarray:
    """(n,) part numbers 0..parts-1, none empty where there are as many groups, the same for all rows of a group.

    Groups that hold most of some stratum come first. Each goes where its strata are missing (the ones that fewest groups have
    weigh most), then where least of them and fewest rows are. After `placed` groups the others are dealt in turn.
    """
    _, group_of_row = np.unique(groups, return_inverse=True)
    _, stratum_of_row = np.unique(strata, return_inverse=True)
    kinds = int(stratum_of_row.max()) + 1
    # What each group holds, as runs of (stratum, share of all its rows): most groups hold few of many classes.
    pairs, rows = np.unique(group_of_row * kinds + stratum_of_row, return_counts=True)
    group_of_pair, stratum_of_pair = np.divmod(pairs, kinds)
    sizes = np.bincount(group_of_row) / len(groups)
    starts = np.searchsorted(group_of_pair, np.arange(len(sizes) + 1))
    shares = rows / np.bincount(stratum_of_row)[stratum_of_pair]
    rarity = 1.0 / np.bincount(stratum_of_pair)

    shuffled = rng.permutation(len(sizes))
    order = shuffled[np.argsort(-np.maximum.reduceat(shares, starts[:-1])[shuffled], kind="stable")]
    filled, filled_rows = np.zeros((parts, kinds)), np.zeros(parts)
    part_of_group = np.empty(len(sizes), dtype=np.int64)
    part_of_group[order] = np.arange(len(order)) % parts
    for group in order[:placed]:
        run = slice(starts[group], starts[group + 1])
        held = stratum_of_pair[run]
        there = filled[:, held]
        lacks = ((there == 0) * rarity[held]).sum(axis=1)
        crowd = (there * shares[run]).sum(axis=1) + kinds * filled_rows * sizes[group]
        part = int(np.argmin(np.where(lacks >= lacks.max() - 1e-9, crowd, np.inf)))
        part_of_group[group] = part
        filled[part, held] += shares[run]
        filled_rows[part] += sizes[group]
    return part_of_group[group_of_row]
