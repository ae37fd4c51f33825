"""Estimates of the library obp for one log: JSON columns in, JSON values out.

Runs in the environment of the peers. Of obp only the file of the estimators is loaded: the rest of
the package imports a library for neural networks that no estimator of these needs. obp takes the
target's probability of every action; two stand for all: the logged one, and whatever else the
target plays, with the model's mean reward of it. That is exact for estimators of one logged action.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

SWITCH_AT = 100.0


def estimators() -> ModuleType:
    """Load obp.ope.estimators without what the packages around it import."""
    spec = importlib.util.find_spec("obp")
    if spec is None or spec.origin is None:
        raise SystemExit("obp is not installed here: make peers")
    root = Path(spec.origin).parent
    for name, folder in (("obp", root), ("obp.ope", root / "ope")):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    # Named by annotations of a helper, never called.
    networks = ModuleType("torch")
    networks.tensor = networks.Tensor = type("Tensor", (), {})
    sys.modules["torch"] = networks
    return importlib.import_module("obp.ope.estimators")


def main() -> None:
    """Answer for the log on the standard input."""
    log = {name: np.array(values) for name, values in json.load(sys.stdin).items()}
    library = estimators()
    targets, predicted = log["targets"], log["predicted"]
    rest = 1.0 - targets
    other = (log["expected"] - targets * predicted) / np.where(rest > 0, rest, 1.0)
    logged = {
        "reward": log["rewards"],
        "action": np.zeros(len(rest), dtype=np.int64),
        "pscore": log["propensities"],
        "action_dist": np.stack([targets, rest], axis=1)[:, :, None],
    }
    model = {
        "estimated_rewards_by_reg_model": np.stack([predicted, other], axis=1)[:, :, None],
    }
    found = {
        "IPW": library.InverseProbabilityWeighting().estimate_policy_value(**logged),
        "SNIPW": library.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(
            **logged
        ),
        "DR": library.DoublyRobust().estimate_policy_value(**logged, **model),
        "SNDR": library.SelfNormalizedDoublyRobust().estimate_policy_value(**logged, **model),
        "Switch-DR": library.SwitchDoublyRobust(lambda_=SWITCH_AT).estimate_policy_value(
            **logged, **model
        ),
        "DRos": library.DoublyRobustWithShrinkage(lambda_=SWITCH_AT).estimate_policy_value(
            **logged, **model
        ),
    }
    json.dump({name: float(value) for name, value in found.items()}, sys.stdout)


if __name__ == "__main__":
    main()
