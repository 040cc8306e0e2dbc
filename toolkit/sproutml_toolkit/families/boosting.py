"""What the boosters share: when to stop adding rounds."""

_LEAST_WAIT = 50


def patience(rows: int) -> int:
    """Most rounds without gain before stopping: 300 up to 10,000 rows, then falling as rounds cost more, at least 20."""
    return 300 if rows <= 10_000 else max(20, round(300 * 10_000 / rows))


class EarlyStopping:
    """Remembers the best round and says when to stop.

    The wait grows with the best round, from 50 to `most`: a model that peaks at round 20 is not improved by 300 more, and
    on small data those would be nearly all of its cost.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.best_round = 1
        self.best = float("-inf")

    def is_over(self, round: int, utility: float) -> bool:
        """Take note of a round's validation utility (larger is better; rounds count from 1)."""
        if utility > self.best:
            self.best, self.best_round = utility, round
        return round - self.best_round >= min(self.most, _LEAST_WAIT + self.best_round)
