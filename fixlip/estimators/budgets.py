"""How many masks a method needs, takes at most, and gets by default."""

from __future__ import annotations

from .basis import n_columns

KERNEL_BUDGET = 512
# The kernel matrix and its inverse take 8 bytes each per pair of samples; of 12,288 samples that is 1.2 GB each.
MAX_SAMPLES = 12_288
# With two-step filtering the paper keeps the pairs among so many players (Baniecki et al., NeurIPS 2025, Appendix).
FILTERED_PLAYERS = 72


def least_squares_budget(n_players: int, basis: str = "full") -> int:
    """Masks for least squares: the next power of two from twice the coefficients to determine; 256 at least."""
    players = min(n_players, FILTERED_PLAYERS) if basis == "filtered" else n_players
    coefficients = n_columns(players, 1 if basis == "crossmodal" else 2)
    return int(max(256, 2 ** (2 * coefficients - 1).bit_length()))


def check_kernel(count: int) -> None:
    """Raise ValueError where so many masks do not fit into a kernel matrix."""
    if count > MAX_SAMPLES:
        raise ValueError(
            f"budget: got {count:,} masks, but the kernel estimator takes {MAX_SAMPLES:,} at most; use "
            f'budget={MAX_SAMPLES} or estimator="crossmodal".'
        )


def check_determined(n_image_masks: int, n_text_masks: int, n_image: int, n_text: int, basis: str) -> None:
    """Raise ValueError where so many masks cannot determine the coefficients of either side."""
    order = 2 if basis == "full" else 1
    for name, have, players in (("images", n_image_masks, n_image), ("captions", n_text_masks, n_text)):
        needed = min(n_columns(players, order), 2**players)
        if have < needed:
            hint = ' or basis="crossmodal"' if basis == "full" and have >= n_columns(players, 1) else ""
            raise ValueError(
                f"budget: {have:,} masked {name} cannot determine the {needed:,} coefficients that {players} players "
                f"have; use at least {needed:,}, better {2 * needed:,}{hint}."
            )
