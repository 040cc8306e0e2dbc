"""What the boosters share: when to stop adding rounds, and what a fold's time allows."""

import threading

_LEAST_WAIT = 50
# A gain smaller than this share of the loss does not lengthen the wait: losses on separable data fall for ever, by nothing.
_LEAST_GAIN = 1e-3
#: The slack where time is a guard rail and not what is to be used up.
GUARD_SLACK = 4.0
# A learning rate above this makes too few, too coarse steps; a table that needs it is better cut short.
_HIGHEST_RATE = 0.25


def patience(rows: int) -> int:
    """Most rounds without gain before stopping: 300 up to 10,000 rows, then falling as rounds cost more, at least 20."""
    return 300 if rows <= 10_000 else max(20, round(300 * 10_000 / rows))


class EarlyStopping:
    """Remembers the best round and says when to stop.

    The wait grows with the best round, from 50 to `most`: a model that peaks at round 20 is not improved by 300 more, and
    on small data those would be nearly all of its cost. It starts anew when the loss has fallen by a thousandth.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.best_round = 1
        self.best = float("-inf")
        self._mark_round = 1
        self._mark = float("-inf")

    def is_over(self, round: int, utility: float) -> bool:
        """Take note of a round's validation utility (larger is better; rounds count from 1)."""
        if utility > self.best:
            self.best, self.best_round = utility, round
        if utility > self._mark + _LEAST_GAIN * abs(utility):
            self._mark, self._mark_round = utility, round
        return round - self._mark_round >= min(self.most, _LEAST_WAIT + self._mark_round)


class Pace:
    """What the folds of a trial agree on where its time is short, so that their models are alike.

    Boosting that the clock cuts off half-way is far worse than fewer, larger steps that arrive. A booster has usually arrived
    when its rounds times its learning rate reach a `journey` of its own. So the first fold measures what a round costs; where
    the rounds that its time allows would not make the journey, the rate is raised until they do, up to 0.25, and every fold
    takes that rate. If the clock cuts the first fold all the same, the others take no more rounds than it had: models cut
    at different points are not comparable, and a score over all of them would say little.

    slack: how many times too short the time must seem before the rate is raised. What a few rounds cost on a busy machine says
    little; where the same trial is to come out the same again, only a shortage beyond doubt may change it (see GUARD_SLACK).
    """

    def __init__(self, slack: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._slack = slack
        self.rate: float | None = None
        self.affordable: int | None = None
        self.most_rounds: int | None = None
        #: Whether time changed what was fitted, in whatever way: with more of it the trial would have come out differently.
        self.bound = False

    def agree(self, seconds_per_round: float, seconds_left: float, rate: float, journey: float) -> float:
        """The rate of all folds, from what one of them measured; the first to ask settles it. seconds_left: for that fold."""
        with self._lock:
            if self.rate is None:
                self.affordable = int(max(seconds_left / max(seconds_per_round, 1e-6), 1))
                is_short = self.is_short(journey / rate, self.affordable)
                self.rate = max(rate, min(journey / self.affordable, _HIGHEST_RATE)) if is_short else rate
                self.bound |= self.rate > rate
            return self.rate

    def is_short(self, needed: float, affordable: float) -> bool:
        """Whether work that needs so many seconds or rounds is to be made smaller, for there are only so many."""
        return needed > self._slack * affordable

    def cut(self, rounds: int) -> None:
        """The clock ended a fold after this many rounds."""
        with self._lock:
            self.bound = True
            if self.most_rounds is None:
                self.most_rounds = rounds


def raised_rate(wanted: float, rate: float) -> str:
    """The note for a trial whose rate was raised."""
    return f"the time limit is short for a learning rate of {wanted:.3g}: it was raised to {rate:.3g}"
