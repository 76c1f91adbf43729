"""Multinomial logistic regression on features of which some are dense and some sparse.

Scikit-learn's takes one matrix, and a dense block stored as a sparse one makes it train three times as long.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import softmax

_CORRECTIONS = 8


@dataclass
class SoftmaxRegression:
    """Weights of a trained model: (dense features, classes), (sparse features, classes) and (classes,), float32."""

    dense: np.ndarray
    sparse: np.ndarray
    bias: np.ndarray

    def probabilities(self, dense: np.ndarray, of_sparse: np.ndarray) -> np.ndarray:
        """Return the probability of each class for each row: float32, (rows, classes).

        Args:
            dense: (rows, dense features).
            of_sparse: the sparse features by their weights: (rows, classes).
        """
        return softmax(dense @ self.dense + of_sparse + self.bias, axis=1)


def fit(
    dense: np.ndarray,
    sparse: csr_matrix,
    classes: np.ndarray,
    row_weights: np.ndarray,
    alpha: float,
    iterations: int,
) -> SoftmaxRegression:
    """Minimise the weighted mean of the log loss and the squared weights by L-BFGS.

    Args:
        dense: (rows, dense features), float32.
        sparse: (rows, sparse features), float32.
        classes: the class of each row, counted from 0.
        row_weights: what each row counts.
        alpha: half of it is what the squared weights cost beside the mean loss.
        iterations: after how many steps to stop.
    """
    rows, width = dense.shape
    end = width + sparse.shape[1]
    count = int(classes.max()) + 1
    wanted = np.eye(count, dtype=np.float32)[classes]
    weights = row_weights.astype(np.float32)[:, np.newaxis]
    strength = alpha * float(row_weights.sum())
    dense_columns, sparse_columns = np.ascontiguousarray(dense.T), sparse.T.tocsr()

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        flat = parameters.astype(np.float32).reshape(end + 1, count)
        model = SoftmaxRegression(flat[:width], flat[width:end], flat[end])
        found = model.probabilities(dense, sparse @ model.sparse)
        of_wanted = np.log(np.maximum(found[np.arange(rows), classes], np.finfo(np.float32).tiny))
        penalty = strength / 2 * np.square(flat[:end]).sum(dtype=np.float64)
        error = (found - wanted) * weights
        gradient = np.empty((end + 1, count))
        gradient[:width] = dense_columns @ error
        gradient[width:end] = sparse_columns @ error
        gradient[end] = error.sum(axis=0)
        gradient[:end] += strength * flat[:end]
        return penalty - float((weights[:, 0] * of_wanted).sum(dtype=np.float64)), gradient.ravel()

    start = np.zeros((end + 1) * count)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxcor": _CORRECTIONS}
    ).x
    flat = found.astype(np.float32).reshape(end + 1, count)
    return SoftmaxRegression(flat[:width].copy(), flat[width:end].copy(), flat[end].copy())
