"""Learners of other libraries, each in a process of its own: peers.py NAME WHAT, WHAT in JSON.

Runs in the environment that `make peers` makes and imports nothing of Opportune. Every peer gets
what a careful user would give it: features standardised with the moments of the first day and cut
at 4, rewards scaled to at most 1 where the library asks for it, the same days, the same
eligibility. Where a library scores every combination, ineligible ones are ruled out before the
best is taken. Beyond ``MOST_ARMS`` combinations, libraries of arms learn each dimension by itself.
"""

from __future__ import annotations

import json
import sys
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from wire import serve

MOST_ARMS = 1_000
RULED_OUT = -1e9
Floats = np.ndarray


class Peer:
    """Shared: standardised features, combinations and their codes, one random generator."""

    def __init__(self, what: dict[str, Any]) -> None:
        self.sizes: tuple[int, ...] = tuple(what["sizes"])
        self.binary: bool = what["reward"] == "binary"
        self.settings: dict[str, Any] = what["settings"]
        self.random = np.random.default_rng([what["seed"], 31])
        self.grid = np.indices(self.sizes, dtype=np.int16).reshape(len(self.sizes), -1).T
        self.scale: tuple[Floats, Floats] | None = None
        self.largest = 0.0
        self.known = False

    def decide(self, features: Floats, options: Floats) -> Floats:
        """Uniform eligible play until something was learned."""
        if not self.known:
            return self.uniform(options)
        return self.choose(self.standardised(features), options)

    def learn(self, features: Floats, actions: Floats, rewards: Floats) -> None:
        if self.scale is None:
            self.scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
            self.largest = max(float(np.abs(rewards).max()), 1e-9)
        scaled = rewards if self.binary else rewards / self.largest
        self.absorb(self.standardised(features), actions, scaled)
        self.known = True

    def choose(self, x: Floats, options: Floats) -> Floats:
        raise SystemExit("a peer chooses")

    def absorb(self, x: Floats, actions: Floats, rewards: Floats) -> None:
        raise SystemExit("a peer learns")

    def standardised(self, features: Floats) -> Floats:
        assert self.scale is not None
        return np.clip((features - self.scale[0]) / self.scale[1], -4.0, 4.0)

    def codes(self, actions: Floats) -> Floats:
        return np.ravel_multi_index(tuple(actions.T.astype(np.int64)), self.sizes)

    def allowed(self, options: Floats) -> Floats:
        """Which combinations are eligible: ``(n, C)``."""
        found = np.ones((len(options), len(self.grid)), dtype=bool)
        for d, choice in enumerate(self.grid.T.astype(np.int64)):
            found &= ((options[:, d, None] >> choice) & 1).astype(bool)
        return found

    def open_options(self, options: Floats, d: int) -> Floats:
        """Which options of a dimension are eligible: ``(n, K_d)``."""
        return ((options[:, d, None] >> np.arange(self.sizes[d])) & 1).astype(bool)

    def uniform(self, options: Floats) -> Floats:
        picks = [
            np.where(self.open_options(options, d), self.random.random((len(options), size)), -1)
            for d, size in enumerate(self.sizes)
        ]
        return np.column_stack([each.argmax(axis=1) for each in picks]).astype(np.int16)

    def best(self, scores: Floats, options: Floats) -> Floats:
        """The best eligible combination of scores ``(n, C)``."""
        if all(
            int(mask) == (1 << size) - 1
            for mask, size in zip(np.bitwise_and.reduce(options, axis=0), self.sizes, strict=True)
        ):
            return self.grid[scores.argmax(axis=1)]
        return self.grid[np.where(self.allowed(options), scores, RULED_OUT).argmax(axis=1)]

    def explored(self, chosen: Floats, options: Floats) -> Floats:
        """Some customers (``epsilon``) get uniform play instead."""
        rows = self.random.random(len(chosen)) < self.settings.get("epsilon", 0.0)
        return np.where(rows[:, None], self.uniform(options), chosen).astype(np.int16)


class Arms(Peer):
    """A library of arms: one an action, or beyond ``MOST_ARMS`` one an option of each dimension."""

    def __init__(self, what: dict[str, Any]) -> None:
        super().__init__(what)
        self.whole = len(self.grid) <= MOST_ARMS and not self.settings.get("by_dimension", False)
        counts = [len(self.grid)] if self.whole else list(self.sizes)
        self.models = [self.made(count, number) for number, count in enumerate(counts)]

    def made(self, arms: int, number: int) -> Any:
        raise SystemExit("a library of arms makes models")

    def scores(self, model: Any, x: Floats) -> Floats:
        raise SystemExit("a library of arms scores")

    def taught(self, model: Any, x: Floats, arms: Floats, rewards: Floats) -> None:
        raise SystemExit("a library of arms learns")

    def choose(self, x: Floats, options: Floats) -> Floats:
        if self.whole:
            return self.best(self.scores(self.models[0], x), options)
        picks = [
            np.where(self.open_options(options, d), self.scores(model, x), RULED_OUT)
            for d, model in enumerate(self.models)
        ]
        return np.column_stack([each.argmax(axis=1) for each in picks]).astype(np.int16)

    def absorb(self, x: Floats, actions: Floats, rewards: Floats) -> None:
        for d, model in enumerate(self.models):
            arms = self.codes(actions) if self.whole else actions[:, d].astype(np.int64)
            self.taught(model, x, arms, rewards)


class MabWiser(Arms):
    """MABWiser's LinTS or LinUCB."""

    def made(self, arms: int, number: int) -> Any:
        from mabwiser.mab import MAB, LearningPolicy

        kind = getattr(LearningPolicy, self.settings["kind"])
        rule = kind(alpha=self.settings["alpha"], l2_lambda=self.settings["l2"])
        return [MAB(list(range(arms)), rule, seed=int(self.random.integers(1 << 30))), False, arms]

    def scores(self, model: Any, x: Floats) -> Floats:
        found = model[0].predict_expectations(_with_constant(x))
        rows = found if isinstance(found, list) else [found]
        return np.array([[row[arm] for arm in range(model[2])] for row in rows])

    def taught(self, model: Any, x: Floats, arms: Floats, rewards: Floats) -> None:
        learn = model[0].partial_fit if model[1] else model[0].fit
        learn(arms, rewards, _with_constant(x))
        model[1] = True


class ContextualBandits(Arms):
    """contextualbandits' LinUCB or LinTS."""

    def made(self, arms: int, number: int) -> Any:
        from contextualbandits import online

        # Its random_state must not be 0.
        state = 1 + int(self.random.integers(1 << 30))
        fixed = {"nchoices": arms, "random_state": state, "njobs": 1}
        if self.settings["kind"] == "LinUCB":
            return online.LinUCB(
                alpha=self.settings["alpha"],
                lambda_=self.settings["l2"],
                method="chol",
                ucb_from_empty=False,
                beta_prior=((1.0, 30.0), 2),
                **fixed,
            )
        # Its draws of coefficients are as wide as the data are many: draws of scores are not.
        return online.LinTS(
            v_sq=self.settings["alpha"],
            lambda_=self.settings["l2"],
            method="chol",
            sample_from="ci",
            **fixed,
        )

    def scores(self, model: Any, x: Floats) -> Floats:
        return np.asarray(model.predict(x, output_all_scores=True)["scores"])

    def taught(self, model: Any, x: Floats, arms: Floats, rewards: Floats) -> None:
        model.partial_fit(x, arms, rewards)


class BayesianBandits(Peer):
    """An empirical-Bayes model of bayesianbandits over the factored design of learning.md.

    Columns: features, options x features, pairs of options. Played near its posterior mean: draws
    are ``temperature`` times as wide as the posterior. ``memory`` is kept a day.
    """

    DRAWS = 8

    def __init__(self, what: dict[str, Any]) -> None:
        super().__init__(what)
        self.model: Any = None
        self.width = 1 + what["features"]
        self.pairs = list(combinations(range(len(self.sizes)), 2))
        ends = np.cumsum([0, self.width, *(size * self.width for size in self.sizes)])
        self.starts = [int(each) for each in ends[1:-1]]
        cells = [self.sizes[d] * self.sizes[e] for d, e in self.pairs]
        self.tables = [int(each) for each in np.cumsum([ends[-1], *cells])]

    def design(self, x: Floats, actions: Floats) -> Floats:
        """The columns of given actions: ``(n, p)``. The constant is wide, so hardly shrunk."""
        basis, rows = _with_constant(x), np.arange(len(x))
        found = np.zeros((len(x), self.tables[-1]))
        found[:, : self.width] = basis
        found[:, 0] = 10.0
        for d, start in enumerate(self.starts):
            first = start + actions[:, d].astype(np.int64) * self.width
            for column in range(self.width):
                found[rows, first + column] = basis[:, column]
        for (d, e), start in zip(self.pairs, self.tables[:-1], strict=True):
            cell = actions[:, d].astype(np.int64) * self.sizes[e] + actions[:, e]
            found[rows, start + cell] = self.settings["pair"]
        return found

    def absorb(self, x: Floats, actions: Floats, rewards: Floats) -> None:
        import bayesianbandits as bb

        if self.model is None:
            memory = self.settings.get("memory", 1.0) ** (1.0 / len(x))
            forgetting = bb.StabilizedForgetting(rate=memory) if memory < 1.0 else None
            kind = bb.EmpiricalBayesGLM if self.binary else bb.EmpiricalBayesNormalRegressor
            self.model = kind(alpha=self.settings["alpha"], forgetting=forgetting)
        self.model.partial_fit(self.design(x, actions), rewards)

    def choose(self, x: Floats, options: Floats) -> Floats:
        basis = _with_constant(x)
        basis32, ticket = basis.astype(np.float32), self.random.integers(self.DRAWS, size=len(x))
        chosen = np.empty((len(x), len(self.sizes)), dtype=np.int16)
        for number, vector in enumerate(self.drawn()):
            here = np.flatnonzero(ticket == number)
            folded = self.folded(vector).astype(np.float32)
            for part in np.array_split(here, max(1, len(here) * len(self.grid) // 20_000_000)):
                chosen[part] = self.best(basis32[part] @ folded.T, options[part])
        return self.explored(chosen, options)

    def drawn(self) -> Floats:
        """Coefficients near the posterior mean: ``(draws, p)``."""
        mean = np.asarray(self.model.coef_)
        lower = np.linalg.cholesky(np.asarray(self.model.cov_inv_))
        noise = np.linalg.solve(lower.T, self.random.standard_normal((len(mean), self.DRAWS)))
        return mean + self.settings["temperature"] * noise.T

    def folded(self, vector: Floats) -> Floats:
        """Each combination's coefficients of the basis ``(C, q)``; what all share is left out."""
        found = np.zeros((len(self.grid), self.width))
        grid = self.grid.astype(np.int64)
        for d, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            block = vector[start : start + size * self.width].reshape(size, self.width)
            found += block[grid[:, d]]
        for (d, e), (start, end) in zip(self.pairs, pairwise(self.tables), strict=True):
            table = vector[start:end].reshape(self.sizes[d], self.sizes[e])
            found[:, 0] += self.settings["pair"] * table[grid[:, d], grid[:, e]]
        return found


class LightGbm(Peer):
    """One LightGBM model of features and options, anew each day, and a share of uniform play."""

    def __init__(self, what: dict[str, Any]) -> None:
        super().__init__(what)
        self.days: list[tuple[Floats, Floats]] = []
        self.model: Any = None

    def absorb(self, x: Floats, actions: Floats, rewards: Floats) -> None:
        import lightgbm as lgb

        self.days.append((np.column_stack([x, actions]).astype(np.float32), rewards))
        self.days = self.days[-int(self.settings.get("window", 1_000)) :]
        rows, labels = (np.concatenate(each) for each in zip(*self.days, strict=True))
        options = list(range(x.shape[1], rows.shape[1]))
        data = lgb.Dataset(rows, labels, categorical_feature=options, free_raw_data=True)
        asked = {
            "objective": "binary" if self.binary else "regression",
            "num_leaves": int(self.settings["leaves"]),
            "learning_rate": 0.1,
            "min_data_in_leaf": 200,
            "verbosity": -1,
            "num_threads": 1,
            "seed": 1,
        }
        self.model = lgb.train(asked, data, num_boost_round=int(self.settings["rounds"]))

    def choose(self, x: Floats, options: Floats) -> Floats:
        chosen = np.empty((len(x), len(self.sizes)), dtype=np.int16)
        step = max(1, 2_000_000 // len(self.grid))
        for start in range(0, len(x), step):
            here = slice(start, start + step)
            rows = x[here].astype(np.float32)
            every = np.concatenate(
                [np.repeat(rows, len(self.grid), axis=0), np.tile(self.grid, (len(rows), 1))],
                axis=1,
            )
            scores = self.model.predict(every, raw_score=True).reshape(len(rows), -1)
            chosen[here] = self.best(scores, options[here])
        return self.explored(chosen, options)


class VowpalWabbit(Peer):
    """`cb_explore_adf` with squarecb: every decision lists its eligible combinations."""

    def __init__(self, what: dict[str, Any]) -> None:
        super().__init__(what)
        import vowpalwabbit

        interactions = "-q ca -q aa" if self.settings["pairs"] else "-q ca"
        self.workspace = vowpalwabbit.Workspace(
            f"--quiet --cb_explore_adf --squarecb --gamma_scale {self.settings['gamma']} "
            f"{interactions} -l {self.settings['rate']} --random_seed 1 -b 20"
        )
        self.lines = [
            "|a " + " ".join(f"d{d}o{option}" for d, option in enumerate(action))
            for action in self.grid
        ]
        self.kept: list[Any] = []

    def choose(self, x: Floats, options: Floats) -> Floats:
        chosen, kept = np.empty((len(x), len(self.sizes)), dtype=np.int16), []
        shared, numbers = _shared(x), self.random.random(len(x))
        for row, open_ in enumerate(self.allowed(options)):
            codes = np.flatnonzero(open_)
            shares = self.workspace.predict([shared[row], *(self.lines[code] for code in codes)])
            place = min(int(np.searchsorted(np.cumsum(shares), numbers[row])), len(codes) - 1)
            chosen[row] = self.grid[codes[place]]
            kept.append((codes, place, max(float(shares[place]), 1e-6)))
        self.kept.append(kept)
        return chosen

    def uniform(self, options: Floats) -> Floats:
        picks = super().uniform(options)
        kept = []
        for open_, code in zip(self.allowed(options), self.codes(picks), strict=True):
            codes = np.flatnonzero(open_)
            kept.append((codes, int(np.searchsorted(codes, code)), 1.0 / len(codes)))
        self.kept.append(kept)
        return picks

    def absorb(self, x: Floats, actions: Floats, rewards: Floats) -> None:
        kept = self.kept.pop(0)
        for shared, reward, (codes, place, share) in zip(_shared(x), rewards, kept, strict=True):
            lines = [self.lines[code] for code in codes]
            lines[place] = f"0:{-reward}:{share} {lines[place]}"
            self.workspace.learn([shared, *lines])


class VowpalSlates(VowpalWabbit):
    """Slates with squarecb: a slot a dimension, rewards taken as their sum."""

    def __init__(self, what: dict[str, Any]) -> None:
        Peer.__init__(self, what)
        import vowpalwabbit

        self.workspace = vowpalwabbit.Workspace(
            f"--quiet --slates --squarecb --gamma_scale {self.settings['gamma']} -q ca "
            f"-l {self.settings['rate']} --random_seed 1 -b 20"
        )
        self.kept = []
        self.slots = ["slates slot |s s" + str(d) for d in range(len(self.sizes))]

    def lines_of(self, shared: str, masks: Floats, label: str) -> tuple[list[str], list[list[int]]]:
        open_ = [
            [option for option in range(size) if int(masks[d]) >> option & 1]
            for d, size in enumerate(self.sizes)
        ]
        actions = [
            f"slates action {d} |a d{d}o{option}" for d, each in enumerate(open_) for option in each
        ]
        return [f"slates shared {label}{shared.removeprefix('shared ')}", *actions], open_

    def choose(self, x: Floats, options: Floats) -> Floats:
        chosen = np.empty((len(x), len(self.sizes)), dtype=np.int16)
        kept, shared = [], _shared(x)
        for row, masks in enumerate(options):
            lines, open_ = self.lines_of(shared[row], masks, "")
            found = self.workspace.predict([*lines, *self.slots])
            share = []
            for d, slot in enumerate(found):
                # The first of a slot is what it drew.
                place, probability = slot[0]
                chosen[row, d] = open_[d][int(place)]
                share.append((int(place), max(float(probability), 1e-6)))
            kept.append((share, masks))
        self.kept.append(kept)
        return chosen

    def uniform(self, options: Floats) -> Floats:
        picks = Peer.uniform(self, options)
        kept = []
        for masks, pick in zip(options, picks, strict=True):
            share = [
                (int(masks[d] & ((1 << int(o)) - 1)).bit_count(), 1.0 / int(masks[d]).bit_count())
                for d, o in enumerate(pick)
            ]
            kept.append(([(place, chance) for place, chance in share], masks))
        self.kept.append(kept)
        return picks

    def absorb(self, x: Floats, actions: Floats, rewards: Floats) -> None:
        for shared, reward, (share, masks) in zip(
            _shared(x), rewards, self.kept.pop(0), strict=True
        ):
            lines, _ = self.lines_of(shared, masks, f"{-reward} ")
            slots = [
                f"slates slot {place}:{chance} |s s{d}" for d, (place, chance) in enumerate(share)
            ]
            self.workspace.learn([*lines, *slots])


def _with_constant(x: Floats) -> Floats:
    return np.column_stack([np.ones(len(x)), x])


def _shared(x: Floats) -> list[str]:
    """Each customer as the line that all actions share."""
    return [
        "shared |c " + " ".join(f"f{place}:{value:.4g}" for place, value in enumerate(row))
        for row in x.tolist()
    ]


PEERS = {
    "mabwiser_lints": MabWiser,
    "mabwiser_linucb": MabWiser,
    "contextualbandits_linucb": ContextualBandits,
    "contextualbandits_lints": ContextualBandits,
    "bayesianbandits_factored": BayesianBandits,
    "lightgbm_epsilon": LightGbm,
    "vw_squarecb": VowpalWabbit,
    "vw_slates": VowpalSlates,
}

if __name__ == "__main__":
    serve(PEERS[sys.argv[1]](json.loads(sys.argv[2])))
