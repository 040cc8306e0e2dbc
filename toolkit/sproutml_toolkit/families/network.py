"""A feed-forward network and its training, in numpy alone: what scikit-learn's lacks is what makes networks good on small tables.

Each hidden layer is linear, ELU (Clevert et al. 2015, arXiv:1511.07289), batch normalization (Ioffe & Szegedy 2015,
arXiv:1502.03167) and dropout (Srivastava et al. 2014, JMLR 15), from He's starting weights (arXiv:1502.01852) by Adam (Kingma &
Ba 2014, arXiv:1412.6980). torch would do the same in 200 MB to 2 GB of libraries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_FIRST_DECAY, _SECOND_DECAY, _TINY = 0.9, 0.999, np.float32(1e-8)
_LEAST_VARIANCE = np.float32(1e-5)
# Of a batch's mean and variance in the running ones, which answers are normalized by.
_SHARE_OF_BATCH = np.float32(0.1)
# Rows answered at once, so that long tables need little memory.
_ROWS_AT_ONCE = 16_384

#: From the last layer's sums to answers, both (n, outputs). Its loss is the one that goes with it: the gradient is answer - target.
Link = Callable[[np.ndarray], np.ndarray]


def softmax(sums: np.ndarray) -> np.ndarray:
    """Probabilities of classes; goes with log loss."""
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def identity(sums: np.ndarray) -> np.ndarray:
    """Values as they are; goes with squared loss."""
    return sums


@dataclass
class Network:
    """A trained network: linear layers with ELU between them, normalization folded in.

    weights, biases: layer by layer (inputs, outputs) and (outputs,), float32.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    link: Link

    def predict(self, values: np.ndarray) -> np.ndarray:
        """(n, outputs) float32 answers to (n, inputs) float32 rows."""
        parts = [self._predict(values[start : start + _ROWS_AT_ONCE]) for start in range(0, len(values), _ROWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.biases[-1])), np.float32)

    def _predict(self, values: np.ndarray) -> np.ndarray:
        *hidden, (weights, biases) = zip(self.weights, self.biases, strict=True)
        for matrix, bias in hidden:
            values = _elu(values @ matrix + bias)[0]
        return self.link(values @ weights + biases)


class Training:
    """A network in training. inputs, hidden, outputs: the widths of its layers. rng: for starting weights and dropout."""

    def __init__(
        self, inputs: int, hidden: Sequence[int], outputs: int, dropout: float, link: Link, rng: np.random.Generator
    ) -> None:
        self._dropout, self._link, self._rng = np.float32(dropout), link, rng
        widths = [inputs, *hidden]
        shapes = [((before, after), *[(after,)] * 3) for before, after in zip(widths, widths[1:], strict=False)]
        shapes.append(((widths[-1], outputs), (outputs,)))
        size = sum(int(np.prod(shape)) for layer in shapes for shape in layer)
        # All parameters lie in one array: an optimizer's step is then a few operations on it.
        self._parameters, self._gradients = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self._first, self._second, self._steps = np.zeros(size, np.float32), np.zeros(size, np.float32), 0
        self._layers = _views(self._parameters, shapes)
        self._slopes = _views(self._gradients, shapes)
        *of_hidden, (last, _) = self._layers
        for weights, _, scale, _ in of_hidden:
            weights[:] = _he(rng, weights)
            scale[:] = 1.0
        # Answers start near the middle.
        last[:] = 0.5 * _he(rng, last)
        self._means = [np.zeros(width, np.float32) for width in hidden]
        self._variances = [np.ones(width, np.float32) for width in hidden]

    def step(self, values: np.ndarray, targets: np.ndarray, learning_rate: float) -> None:
        """One step down the mean loss of a batch. values: (n, inputs), targets: (n, outputs), both float32."""
        passed = []
        *hidden, (weights, biases) = self._layers
        for place, layer in enumerate(hidden):
            through = _Passed(values, layer, self._kept((len(values), layer[1].size)))
            self._means[place] += _SHARE_OF_BATCH * (through.mean - self._means[place])
            self._variances[place] += _SHARE_OF_BATCH * (through.variance - self._variances[place])
            values = through.result
            passed.append(through)
        error = (self._link(values @ weights + biases) - targets) / np.float32(len(targets))
        np.matmul(values.T, error, out=self._slopes[-1][0])
        error.sum(axis=0, out=self._slopes[-1][1])
        error = error @ weights.T
        for place in range(len(hidden) - 1, -1, -1):
            error = passed[place].back(error, self._slopes[place], is_first=place == 0)
        self._move(learning_rate)

    def _kept(self, shape: tuple[int, int]) -> np.ndarray | None:
        """What dropout multiplies by: 0, or as much more as makes up for the zeros."""
        if self._dropout == 0:
            return None
        kept = self._rng.random(shape, dtype=np.float32) >= self._dropout
        return kept * (1 / (1 - self._dropout))

    def _move(self, learning_rate: float) -> None:
        """Adam's step, by the gradients of the batch; they are used up."""
        self._steps += 1
        self._first *= np.float32(_FIRST_DECAY)
        self._first += np.float32(1 - _FIRST_DECAY) * self._gradients
        self._second *= np.float32(_SECOND_DECAY)
        self._gradients *= self._gradients
        self._gradients *= np.float32(1 - _SECOND_DECAY)
        self._second += self._gradients
        rate = learning_rate * np.sqrt(1 - _SECOND_DECAY**self._steps) / (1 - _FIRST_DECAY**self._steps)
        step = np.sqrt(self._second)
        step += _TINY
        np.divide(self._first, step, out=step)
        step *= np.float32(rate)
        self._parameters -= step

    def network(self) -> Network:
        """As it stands; further training does not change it."""
        network = Network([], [], self._link)
        factor = offset = None
        for place, (weights, biases, *others) in enumerate(self._layers):
            # What does to x what this layer does to x * factor + offset.
            network.weights.append(weights.copy() if factor is None else weights * factor[:, None])
            network.biases.append(biases.copy() if offset is None else biases + offset @ weights)
            if others:
                scale, shift = others
                factor = scale / np.sqrt(self._variances[place] + _LEAST_VARIANCE)
                offset = shift - self._means[place] * factor
        return network


def _he(rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    bound = np.sqrt(6.0 / len(weights))
    return rng.uniform(-bound, bound, weights.shape)


class _Passed:
    """A batch through a hidden layer, and its error back."""

    def __init__(self, values: np.ndarray, layer: Sequence[np.ndarray], kept: np.ndarray | None) -> None:
        self._values, self._layer, self._kept = values, layer, kept
        weights, biases, scale, shift = layer
        active, self._steepness = _elu(values @ weights + biases)
        self.mean = active.mean(axis=0)
        active -= self.mean
        self.variance = _sums(active, active) / np.float32(len(active))
        self._spread = 1 / np.sqrt(self.variance + _LEAST_VARIANCE)
        active *= self._spread
        self._normal = active
        self.result = active * scale
        self.result += shift
        if kept is not None:
            self.result *= kept

    def back(self, error: np.ndarray, slopes: Sequence[np.ndarray], is_first: bool) -> np.ndarray:
        """Leave the layer's gradients in `slopes`; return the error of the layer before, or none of the inputs."""
        weights, _, scale, _ = self._layer
        if self._kept is not None:
            error *= self._kept
        slopes[2][:] = _sums(error, self._normal)
        error.sum(axis=0, out=slopes[3])
        rows = np.float32(len(error))
        # Of normalization: each row's error moves the mean and the variance of all.
        error -= slopes[3] / rows
        error -= self._normal * (slopes[2] / rows)
        error *= scale * self._spread
        error *= self._steepness
        np.matmul(self._values.T, error, out=slopes[0])
        error.sum(axis=0, out=slopes[1])
        return error if is_first else error @ weights.T


def _sums(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(width,) sums over rows of the products of two (n, width)."""
    return np.einsum("ij,ij->j", a, b)


def _elu(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exponential linear unit and its slope."""
    slope = np.exp(np.minimum(sums, 0))
    active = np.maximum(sums, 0)
    active += slope
    active -= 1
    return active, slope


def _views(flat: np.ndarray, shapes: Sequence[Sequence[tuple[int, ...]]]) -> list[list[np.ndarray]]:
    """The parts of a flat array, as arrays of those shapes."""
    layers, start = [], 0
    for layer in shapes:
        views = []
        for shape in layer:
            size = int(np.prod(shape))
            views.append(flat[start : start + size].reshape(shape))
            start += size
        layers.append(views)
    return layers
