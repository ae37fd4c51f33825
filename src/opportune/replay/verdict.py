"""Say in sentences what a replay proved and what it did not."""

from __future__ import annotations

from opportune.replay.model import Replayed

__all__ = ["verdict"]


def verdict(replayed: Replayed) -> str:
    """Say whether the policy can be told from the best single action, and what to distrust."""
    return " ".join([*_warnings(replayed), _edge(replayed)])


def _edge(replayed: Replayed) -> str:
    edge, best = replayed.edge, replayed.best_single
    unit = replayed.outcome.name
    if edge.low is None or edge.high is None or edge.value is None:
        return (
            f"The learned policy cannot be compared with the best single action, '{best}': "
            f"{edge.reason}"
        )
    span = (
        f"by {edge.value:+.4g} {unit} a row; interval {edge.low:.4g} to {edge.high:.4g}, widened "
        f"for having picked the best of {len(replayed.singles)} after looking"
    )
    if edge.low > 0:
        return f"The learned policy earns more than the best single action, '{best}' ({span})."
    if edge.high < 0:
        return (
            f"The learned policy earns less than the best single action, '{best}' ({span}). Send "
            "that to everybody."
        )
    return (
        f"The learned policy cannot be told from the best single action, '{best}': they differ "
        f"{span}. On these {replayed.held_out_rows} held-out rows, sending everybody "
        f"'{best}' may be just as good."
    )


def _warnings(replayed: Replayed) -> list[str]:
    found = []
    ratio = replayed.sample_ratio
    if ratio is not None and ratio.suspicious:
        found.append(
            "Do not trust any of this before you know why: the actions were not played as often as "
            f"the propensities say (p = {ratio.p_value:.1e})."
        )
    rows = (replayed.learned, replayed.control, *replayed.singles)
    weak = sorted({row.name for row in rows if not row.snips.trustworthy})
    if weak:
        found.append(
            f"Too little of the log speaks of {', '.join(weak)}: fewer than 100 effective rows, no "
            "interval, or a few rows of huge weight that decide."
        )
    if replayed.learned.supported_share < 0.95:
        found.append(
            f"The log never played {1 - replayed.learned.supported_share:.0%} of what the learned "
            "policy would play; nothing is known of that part."
        )
    return found
