"""What a factored policy has learned as arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import UnreadablePolicy
from opportune.policies.evidence import Sums, mirror
from opportune.policies.features import FeatureScale
from opportune.policies.knowledge import MEMORIES, Knowledge, Model, refitted
from opportune.policies.layout import TYPES, Layout, layout
from opportune.policies.shrinkage import Beliefs
from opportune.policies.space import ActionSpace
from opportune.policies.terms import Terms

__all__ = ["arrays_of", "knowledge_of"]

Array = NDArray[Any]

# The matrix of a memory that has seen no rows.
NOTHING = np.zeros(0, dtype=np.float32)


def arrays_of(known: Knowledge) -> dict[str, Array]:
    """Every number that was learned, by name; H as its lower triangle in single precision."""
    terms = known.terms
    arrays: dict[str, Array] = {
        "center": terms.scale.center,
        "spread": terms.scale.spread,
        "products": terms.products,
        "steps": terms.steps,
        "levels": terms.levels,
        "averages": terms.averages,
        "likelihoods": known.likelihoods,
        "responses": known.responses,
        "point": known.point,
        "trials": known.trials,
        "counts": np.array([known.rows, known.last_rows, float(known.alarms)]),
        **_of_model("chance", known.chance),
    }
    if known.amount is not None:
        arrays |= _of_model("amount", known.amount)
    return arrays


def _of_model(name: str, model: Model) -> dict[str, Array]:
    beliefs = model.beliefs
    lower = np.tri(len(beliefs.weight), dtype=bool)
    arrays: dict[str, Array] = {
        f"{name}_site_precision": beliefs.precision,
        f"{name}_site_weight": beliefs.weight,
        f"{name}_inclusion": beliefs.inclusion,
        f"{name}_slabs": beliefs.slabs,
        f"{name}_shares": beliefs.shares,
        f"{name}_noise": np.array([beliefs.noise]),
    }
    for place, sums in enumerate(model.sums):
        arrays[f"{name}_precision_{place}"] = (
            NOTHING if _is_empty(sums) else sums.precision[lower].astype(np.float32, copy=False)
        )
        arrays[f"{name}_weighted_{place}"] = sums.weighted
        arrays[f"{name}_counts_{place}"] = np.array([sums.rows, sums.squares])
    return arrays


def _is_empty(sums: Sums) -> bool:
    return sums.rows == 0.0 and not sums.precision.any()


def knowledge_of(
    arrays: Mapping[str, Array], space: ActionSpace, *, n_features: int, amount: bool
) -> Knowledge:
    """The knowledge again; `UnreadablePolicy` if an array is missing or has another shape."""
    read = _Reader(arrays)
    products = _features(read, "products", (-1, 2), n_features)
    steps = _features(read, "steps", (-1,), n_features)
    terms = Terms(
        scale=FeatureScale(
            center=read("center", (n_features,)), spread=read("spread", (n_features,))
        ),
        products=products,
        steps=steps,
        levels=read("levels", (len(steps),)),
        averages=read("averages", (len(products) + len(steps),)),
    )
    shape = layout(space.sizes, terms.kinds)
    rows, last_rows, alarms = read("counts", (3,)).tolist()
    known = Knowledge(
        terms=terms,
        chance=_model_of(read, "chance", shape),
        amount=_model_of(read, "amount", shape) if amount else None,
        likelihoods=read("likelihoods", (len(MEMORIES),)),
        responses=read("responses", (len(MEMORIES), shape.options)),
        point=read("point", (shape.size,)),
        rows=rows,
        last_rows=last_rows,
        alarms=int(alarms),
        trials=read("trials", (-1, shape.size)),
    )
    return refitted(shape, known, learn=False)


class _Reader:
    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays

    def __call__(self, name: str, shape: tuple[int, ...]) -> Array:
        found = self.arrays.get(name)
        given = None if found is None else found.shape
        if (
            found is None
            or len(shape) != found.ndim
            or any(wanted not in (-1, had) for wanted, had in zip(shape, found.shape, strict=True))
        ):
            raise UnreadablePolicy(
                f"Array '{name}' of the policy has shape {given}; its dimensions and features "
                f"need {shape}. Train a new policy."
            )
        return found

    def is_empty(self, name: str) -> bool:
        """Whether the array is there, and has no numbers."""
        found = self.arrays.get(name)
        return found is not None and found.shape == (0,)


def _features(read: _Reader, name: str, shape: tuple[int, ...], n_features: int) -> Array:
    found = read(name, shape)
    if ((found < 0) | (found >= n_features)).any():
        raise UnreadablePolicy(
            f"Array '{name}' names features {found.min()} to {found.max()}; allowed are 0 to "
            f"{n_features - 1}. Train a new policy."
        )
    return found.astype(np.int64)


def _model_of(read: _Reader, name: str, shape: Layout) -> Model:
    size = shape.size
    beliefs = Beliefs(
        precision=read(f"{name}_site_precision", (size,)),
        weight=read(f"{name}_site_weight", (size,)),
        inclusion=read(f"{name}_inclusion", (size,)),
        slabs=read(f"{name}_slabs", (TYPES,)),
        shares=read(f"{name}_shares", (len(shape.group_types),)),
        noise=float(read(f"{name}_noise", (1,))[0]),
    )
    sums = tuple(_sums_of(read, f"{name}", place, size) for place in range(len(MEMORIES)))
    return Model(sums=sums, beliefs=beliefs, members=())


def _sums_of(read: _Reader, name: str, place: int, size: int) -> Sums:
    square = np.zeros((size, size), dtype=np.float32)
    if not read.is_empty(f"{name}_precision_{place}"):
        half = read(f"{name}_precision_{place}", (size * (size + 1) // 2,))
        square[np.tri(size, dtype=bool)] = half
        mirror(square.T)
    rows, squares = read(f"{name}_counts_{place}", (2,)).tolist()
    return Sums(
        precision=square,
        weighted=read(f"{name}_weighted_{place}", (size,)),
        rows=rows,
        squares=squares,
    )
