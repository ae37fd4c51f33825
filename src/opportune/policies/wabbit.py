"""A Vowpal Wabbit model as a policy: its own exploration decides, exactly as it says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.policies.best import require_moderate
from opportune.policies.eligible import Eligibility, require_actions, require_eligible
from opportune.policies.encoding import StoredSpace, pack, space_of, stored_space, unpack
from opportune.policies.errors import BadPolicySetting, MissingExtra
from opportune.policies.evidence import RewardKind
from opportune.policies.model import ActionDistribution, Batch, Costs
from opportune.policies.rewards import require_complete, require_features, require_rewards
from opportune.policies.settings import read_settings
from opportune.policies.space import ActionSpace

__all__ = ["Wabbit"]

MAX_COMBINATIONS = 4_096
"""Vowpal Wabbit reads a line per combination for each profile: beyond this it takes days."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class _Settings(msgspec.Struct, frozen=True):
    """What a use case may set; the words are Vowpal Wabbit's own.

    Parameters
    ----------
    explore:
        How it explores: squarecb, epsilon, bag or cover.
    epsilon:
        Share of uniform play in epsilon, bag and cover.
    gamma_scale:
        How greedy squarecb is: the larger, the greedier.
    bags:
        Policies that bag and cover hold.
    pairs:
        Whether pairs of options have effects of their own.
    learning_rate:
        Size of a step.
    bits:
        Binary logarithm of the number of weights.
    """

    explore: Literal["squarecb", "epsilon", "bag", "cover"] = "squarecb"
    epsilon: float = 0.05
    gamma_scale: float = 10.0
    bags: int = 5
    pairs: bool = True
    learning_rate: float = 0.5
    bits: int = 18


_DEFAULTS = _Settings()


@dataclass(frozen=True, slots=True)
class Wabbit:
    """Runs Vowpal Wabbit's ``cb_explore_adf``; needs the extra ``wabbit``.

    Its probabilities become the distribution as they are, but for rounding: they are single
    precision and are divided by their sum. Options cross features, and each other with ``pairs``.
    The cost that it learns from is minus the reward, weighed by the logged propensity. Costs of
    options are ignored: its exploration knows nothing of them. It takes one profile at a time, so
    a decision costs a line per combination: up to 4,096 combinations, and some thousand profiles a
    second at 60 of them. Evidence does not add; the
    order of rows matters. The stored policy holds Vowpal Wabbit's own model file, which it reads
    when the policy is next used, through a file in the folder for temporary files.
    """

    name: ClassVar[str] = "wabbit"

    space: ActionSpace
    n_features: int
    _: KW_ONLY
    reward: RewardKind
    settings: _Settings = _DEFAULTS
    model: bytes = b""

    def __post_init__(self) -> None:
        given = self.settings
        if (
            not 0 <= given.epsilon <= 1
            or not given.gamma_scale > 0
            or not given.learning_rate > 0
            or not 1 <= given.bags <= 100
            or not 1 <= given.bits <= 28
        ):
            raise BadPolicySetting(
                f"{given} was given; allowed are 0 <= epsilon <= 1, gamma_scale > 0, "
                "learning_rate > 0, bags from 1 to 100 and bits from 1 to 28."
            )
        require_moderate(self.space, MAX_COMBINATIONS, self.name)

    @classmethod
    def start(
        cls,
        space: ActionSpace,
        *,
        features: int,
        reward: RewardKind,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> Wabbit:
        """A model of this space that has seen nothing."""
        _require_wabbit()
        given = read_settings(cls.name, _Settings, settings)
        return cls(space, features, reward=reward, settings=given)

    def distribution(
        self,
        features: Floats,
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """The probabilities the model gives to each eligible combination; no use of the seed."""
        require_eligible(self.space, eligible)
        require_features(features, len(eligible), self.n_features)
        actions, lines = self.space.actions(), self._lines()
        shared = _shared(features)
        width = int(eligible.counts(self.space).max(initial=0))
        support = np.empty((len(eligible), width, actions.shape[1]), dtype=np.int16)
        weights = np.zeros((len(eligible), width))
        with self._open("--testonly") as workspace:
            for rows, allowed in eligible.alike(self.space):
                open_ = np.flatnonzero(allowed)
                text = "\n".join(lines[place] for place in open_.tolist())
                support[rows, : len(open_)] = actions[open_]
                support[rows, len(open_) :] = actions[open_[0]]
                for row in rows.tolist():
                    found = np.array(workspace.predict(f"{shared[row]}\n{text}"))
                    weights[row, : len(open_)] = found / found.sum()
        return ActionDistribution(
            space=self.space,
            support=support,
            weights=weights,
            uniform_share=0.0,
            eligible=eligible,
        )

    def update(self, evidence: Batch) -> Wabbit:
        """A new model that has also learned from these rows, one after the other."""
        require_features(evidence.features, len(evidence.rewards), self.n_features)
        require_actions(self.space, evidence.actions)
        require_rewards(evidence.rewards, self.reward)
        require_complete(evidence, self.name)
        if not len(evidence.rewards):
            return replace(self)
        lines, shared = self._lines(), _shared(evidence.features)
        codes = self.space.codes(evidence.actions).tolist()
        labels = zip((-evidence.rewards).tolist(), evidence.propensities.tolist(), strict=True)
        with self._open() as workspace:
            for about, code, (cost, chance) in zip(shared, codes, labels, strict=True):
                chosen = f"0:{cost:.9g}:{chance:.9g} {lines[code]}"
                workspace.learn("\n".join([about, *lines[:code], chosen, *lines[code + 1 :]]))
            return replace(self, model=_saved(workspace))

    def to_bytes(self) -> bytes:
        """Settings and Vowpal Wabbit's model file, as in `encoding`."""
        stored = _Stored(
            space=stored_space(self.space),
            n_features=self.n_features,
            reward=self.reward,
            settings=self.settings,
            model=self.model,
        )
        return pack(self.name, stored, {})

    @classmethod
    def from_bytes(cls, data: bytes) -> Wabbit:
        """The policy that `to_bytes` wrote; `UnreadablePolicy` for anything else."""
        stored, _ = unpack(data, cls.name, _Stored)
        return cls(
            space_of(stored.space),
            stored.n_features,
            reward=stored.reward,
            settings=stored.settings,
            model=stored.model,
        )

    def _lines(self) -> list[str]:
        """One line per combination, in the order of `ActionSpace.actions`."""
        return [
            "|a " + " ".join(f"d{d}={option}" for d, option in enumerate(action))
            for action in self.space.actions().tolist()
        ]

    @contextmanager
    def _open(self, *options: str) -> Iterator[Any]:
        """Vowpal Wabbit with this model."""
        wabbit = _require_wabbit()
        with tempfile.TemporaryDirectory(prefix="opportune-wabbit-") as folder:
            if self.model:
                file = Path(folder, "model")
                file.write_bytes(self.model)
                given = ["--initial_regressor", str(file)]
            else:
                given = _arguments(self.settings)
            workspace = wabbit.Workspace(arg_list=["--quiet", *given, *options])
        try:
            yield workspace
        finally:
            workspace.finish()


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    space: StoredSpace
    n_features: int
    reward: RewardKind
    settings: _Settings
    model: bytes


def _require_wabbit() -> Any:
    try:
        import vowpalwabbit
    except ImportError as error:
        raise MissingExtra(
            "The policy 'wabbit' needs Vowpal Wabbit, which is not installed. Install opportune "
            "with its extra: pip install 'opportune[wabbit]'."
        ) from error
    return vowpalwabbit


def _arguments(given: _Settings) -> list[str]:
    explore = {
        "squarecb": ["--squarecb", "--gamma_scale", f"{given.gamma_scale:g}"],
        "epsilon": ["--epsilon", f"{given.epsilon:g}"],
        "bag": ["--bag", str(given.bags), "--epsilon", f"{given.epsilon:g}"],
        "cover": ["--cover", str(given.bags), "--epsilon", f"{given.epsilon:g}"],
    }[given.explore]
    return [
        "--cb_explore_adf",
        *("--cb_type", "mtr"),
        *explore,
        *("--quadratic", "xa"),
        *(("--quadratic", "aa") if given.pairs else ()),
        *("--learning_rate", f"{given.learning_rate:g}"),
        *("--bit_precision", str(given.bits)),
        *("--random_seed", "1"),
    ]


def _shared(features: Floats) -> list[str]:
    """What is known of each profile in Vowpal Wabbit's words; what is missing is left out."""
    return [
        "shared |x "
        + " ".join(f"f{k}:{value:.9g}" for k, value in enumerate(row) if np.isfinite(value))
        for row in features.tolist()
    ]


def _saved(workspace: Any) -> bytes:
    with tempfile.TemporaryDirectory(prefix="opportune-wabbit-") as folder:
        file = Path(folder, "model")
        workspace.save(str(file))
        return file.read_bytes()
