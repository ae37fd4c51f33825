"""Positive definite matrices: their factors, inverses and solutions.

The only file that knows scipy, which is imported when it is first needed: no command should wait
for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["factor", "inverse_diagonal", "solve", "solve_lower", "solve_upper"]

Floats = NDArray[np.float64]


def factor(square: Floats) -> Floats:
    """The lower Cholesky factor L of a matrix A = LL', which it may overwrite."""
    from scipy.linalg import cholesky

    return np.asarray(cholesky(square, lower=True, overwrite_a=True, check_finite=False))


def solve(lower: Floats, right: Floats) -> Floats:
    """The solution X of AX = B, given the factor of A."""
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve((lower, True), right, check_finite=False))


def solve_lower(lower: Floats, right: Floats) -> Floats:
    """The solution X of LX = B."""
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(lower, right, lower=True, check_finite=False))


def solve_upper(lower: Floats, right: Floats) -> Floats:
    """The solution X of L'X = B: with standard normal B, draws of covariance A^-1."""
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(lower, right, lower=True, trans=1, check_finite=False))


def inverse_diagonal(lower: Floats) -> Floats:
    """The diagonal of A^-1, given the factor of A."""
    from scipy.linalg.lapack import dtrtri

    # The sums of squares of the columns of L^-1: half the work of all of A^-1.
    inverse, _ = dtrtri(lower, lower=1)
    return np.asarray(np.einsum("ij,ij->j", inverse, inverse))
