"""How near explanations come to what the device can do: `python tests/benchmarks/throughput.py [--help]`.

ViT-B/16 and ViT-L/14 at 336 pixels, of random weights (nothing is downloaded), see masked pictures twice: by the game,
from masks to embeddings in the computer's memory, and by the bare model, whose pictures lie ready on the device. Their
ratio is what masking, transfers and bookkeeping cost. Then a whole explanation, and its parts one by one. On a GPU
seconds are those of the clock; on a processor, which may have other work, of processor time, summed over threads.
`--profile` adds what torch's profiler sees of an explanation. Writes results/throughput.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

import fixlip
from fixlip.encoders.devices import DTYPES, choose_device, choose_dtype
from fixlip.encoders.speed import choose_precision
from fixlip.samples import MIXTURE, image_masks, sample_image, sample_text

sys.path.insert(0, str(Path(__file__).parent.parent))
import small_models

CAPTION, P = "a cat next to a banana on the red table", 0.5
IMAGES, IMAGES_CPU = 512, 32
ROUNDS, ROUNDS_CPU = 5, 2
RESULT = Path(__file__).parent / "results" / "throughput.md"
_SHAPE = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
# Vision tower, text tower, picture and patch in pixels, dimension of the embedding: as published.
MODELS = {
    "ViT-B/16": ((768, 12, 12, 3072), (512, 12, 8, 2048), (224, 16), 512),
    "ViT-L/14-336": ((1024, 24, 16, 4096), (768, 12, 12, 3072), (336, 14), 768),
}
# What the profiler calls copies between computer and device, and waiting for them.
_TRAVEL = ("Memcpy", "Synchronize", "_local_scalar_dense", "aten::_to_copy", "aten::copy_", "pin_memory")


def encoder_of(name: str, device: torch.device, dtype: str) -> fixlip.Encoder:
    """A model of random weights."""
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    vision, text, (side, patch), dimension = MODELS[name]
    tokenizer = small_models.byte_level()
    ids = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("bos", "eos", "pad")}
    towers = {
        "vision_config": dict(zip(_SHAPE, vision, strict=True)) | {"image_size": side, "patch_size": patch},
        "text_config": dict(zip(_SHAPE, text, strict=True)) | ids,
    }
    torch.manual_seed(0)
    images = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    encoder = fixlip.Encoder(
        CLIPModel(CLIPConfig(**towers, projection_dim=dimension)),
        CLIPProcessor(image_processor=images, tokenizer=tokenizer),
        name=f"{name}, random weights",
        device=device,
        dtype=choose_dtype(dtype),
    )
    if dtype == "auto":
        choose_precision(encoder)
    return encoder


@dataclass
class Bench:
    """One model and what is asked of it."""

    encoder: fixlip.Encoder
    game: fixlip.Game
    images: int

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.encoder.device

    def seconds(self, work: Callable[[], Any]) -> float:
        """Seconds until the work is done on the device, too."""
        clock = time.process_time if self.device.type == "cpu" else time.perf_counter
        self._wait()
        start = clock()
        work()
        self._wait()
        return clock() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @cached_property
    def masks(self) -> np.ndarray:
        """(images, n_image), those of an explanation."""
        return image_masks(self.game, self.images, MIXTURE, 0)[0]

    def batches(self) -> list[np.ndarray]:
        """The masks as many at a time as go through the model."""
        size = self.encoder.batch_size
        return [self.masks[start : start + size] for start in range(0, len(self.masks), size)]

    def bare(self) -> Callable[[], None]:
        """The model's own forward pass with as many pictures, in batches of the same sizes; they lie ready."""
        encoder, sizes = self.encoder, [len(batch) for batch in self.batches()]
        pixels = self.game.inputs[0].to(encoder.device, encoder.dtype)
        ready = encoder.masker(pixels).of(pixels)(self.masks[: sizes[0]])
        half = encoder.multiplies_in

        def forward() -> None:
            for size in sizes:
                with (
                    torch.inference_mode(),
                    torch.autocast(encoder.device.type, half) if half is not None else nullcontext(),
                ):
                    encoder.model.get_image_features(pixel_values=ready[:size])

        return forward

    def masking(self) -> None:
        """From masks to masked pictures on the device."""
        pixels = self.game.inputs[0].to(self.device, self.encoder.dtype)
        masked = self.encoder.masker(pixels).of(pixels)
        for batch in self.batches():
            masked(batch)

    def transfer(self) -> Callable[[], None]:
        """Embeddings from the device into the computer's memory."""
        width = int(self.encoder.model.config.projection_dim)
        rows = [torch.ones(len(batch), width, device=self.device) for batch in self.batches()]
        return lambda: [one.cpu() for one in rows] and None

    def rates(self, rounds: int) -> tuple[float, float, float]:
        """Images a second of the game and of the bare model, and the ratio: medians over rounds of both in turn."""
        bare, found = self.bare(), []
        bare()  # the first calls set things up
        for _ in range(rounds):
            fresh = self.game.afresh()
            pair = self.seconds(lambda game=fresh: game.embed_images(self.masks)), self.seconds(bare)
            found.append([len(self.masks) / one for one in pair])
        game, alone = np.median(found, axis=0)
        return float(game), float(alone), float(np.median([one / other for one, other in found]))

    def explain(self) -> fixlip.Explanation:
        """A whole explanation of a picture that is prepared and of which nothing is known."""
        return fixlip.sample(self.game.afresh(), self.images, progress=False).explain(P)

    def parts(self) -> dict[str, float]:
        """Seconds of a whole explanation and of its parts, each measured by itself."""
        found = {"whole": self.seconds(self.explain)}
        found |= {"masking": self.seconds(self.masking), "encoder": self.seconds(self.bare())}
        found["transfer"] = self.seconds(self.transfer())
        kept: dict[str, Any] = {}

        def step(name: str, work: Callable[[], Any]) -> None:
            found[name] = self.seconds(lambda: kept.__setitem__(name, work()))

        game = self.game.afresh()
        step("images", lambda: sample_image(game, self.images, MIXTURE, 0))
        step("captions", lambda: sample_text(game, MIXTURE, 0, self.images))
        samples = fixlip.Samples(game.subject, kept["images"], kept["captions"], game.scale, game.bias, 0, game)
        step("fit", samples.readout)
        step("readout", lambda: samples.explain(P))
        # What the game adds: telling masks apart, and remembering embeddings.
        found["bookkeeping"] = found.pop("images") - found["masking"] - found["encoder"] - found["transfer"]
        return found | {"masked captions": len(kept["captions"].masks)}

    def profile(self) -> str:
        """What takes longest in an explanation, and what travels or waits, in Markdown."""
        activities = [ProfilerActivity.CPU]
        activities += [ProfilerActivity.CUDA] if self.device.type == "cuda" else []
        with profile(activities=activities) as seen:
            self.explain()
        events = seen.key_averages()
        on_device = self.device.type == "cuda"
        order = sorted(events, key=lambda one: -(one.self_device_time_total if on_device else one.self_cpu_time_total))
        travel = [one for one in order[12:] if any(name in one.key for name in _TRAVEL)]
        lines = ["| operation | calls | ms on the processor | ms on the device |", "|---|---|---|---|"]
        for one in (*order[:12], *travel):
            spent = one.self_cpu_time_total / 1000, one.self_device_time_total / 1000
            lines.append(f"| {one.key[:60]} | {one.count} | {spent[0]:.1f} | {spent[1]:.1f} |")
        return "\n".join(lines)


PARTS = ("whole", "masking", "encoder", "transfer", "bookkeeping", "captions", "fit", "readout")


def measured(name: str, options: argparse.Namespace) -> tuple[str, str, str, str]:
    """Rows of the two tables, a sentence on precision, and the profile, if it is asked for."""
    encoder = encoder_of(name, options.device, options.dtype)
    game = fixlip.Game(encoder, fixlip.emoji.scene(7).image, CAPTION)
    bench = Bench(encoder, game, options.images)
    on_gpu = bench.device.type == "cuda"
    if on_gpu:
        bench.explain()  # loads kernels, which happens once
        torch.cuda.reset_peak_memory_stats(bench.device)
    rates = bench.rates(options.rounds)
    parts = bench.parts()
    peak = f"{torch.cuda.max_memory_allocated(bench.device) / 2**30:.1f}" if on_gpu else "-"
    size = min(encoder.batch_size, options.images)
    speed = f"| {name} | {game.n_image} | {size} | {rates[1]:.1f} | {rates[0]:.1f} | {rates[2]:.3f} | {peak} |"
    took = f"| {name} | {parts['masked captions']} | " + " | ".join(f"{parts[one]:.3f}" for one in PARTS) + " |"
    why = f"{name} ran in {encoder.precision}{' (' + encoder.why_precision + ')' if encoder.why_precision else ''}."
    print(speed, took, sep="\n", flush=True)
    return speed, took, why, bench.profile() if options.profile else ""


def report(rows: dict[str, tuple[str, str, str, str]], options: argparse.Namespace) -> str:
    """What was measured, in Markdown."""
    on_gpu = options.device.type == "cuda"
    where = (
        torch.cuda.get_device_name(options.device) if on_gpu else f"a processor, {torch.get_num_threads()} thread(s)"
    )
    clock = "seconds of the clock" if on_gpu else "seconds of processor time, summed over threads"
    load = (
        ""
        if on_gpu
        else f" of a machine with other work (load average {os.getloadavg()[1]:.0f}, {os.cpu_count()} cores)"
    )
    few = "" if options.images >= IMAGES else f" A GPU's explanation has {IMAGES} images; here they are fewer."
    lines = [
        f"Models of random weights on {where}, torch {torch.__version__}: {options.images} masked images, a caption of "
        f"ten tokens; {clock}{load}, one run, medians of {options.rounds} rounds.{few}",
        "",
        " ".join(row[2] for row in rows.values()),
        "",
        "Masked pictures: the bare model's are ready on the device, the game's come from masks, and their embeddings "
        "go to the computer's memory.",
        "",
        "| model | patches | pictures a batch | bare model, images a second | game, images a second | game / bare "
        "| peak of the device's memory, GiB |",
        "|---|---|---|---|---|---|---|",
        *(row[0] for row in rows.values()),
        "",
        "A whole explanation (picture and caption prepared), and its parts measured one by one, in seconds. "
        "Bookkeeping is what is left of the game's encoding of images, and so holds the noise of all three:",
        "",
        "| model | masked captions | " + " | ".join(PARTS) + " |",
        "|---" * (len(PARTS) + 2) + "|",
        *(row[1] for row in rows.values()),
    ]
    for name, row in rows.items():
        if row[3]:
            lines += [
                "",
                f"{name}, an explanation as torch's profiler sees it, then all that travels or waits:",
                "",
                row[3],
            ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--models", nargs="+", choices=MODELS, help="both on a GPU, else ViT-B/16")
    parser.add_argument("--images", type=int, help=f"masked images; {IMAGES} on a GPU, else {IMAGES_CPU}")
    parser.add_argument("--dtype", default="auto", choices=DTYPES)
    parser.add_argument("--profile", action="store_true", help="add what torch's profiler sees")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the table goes")
    options = parser.parse_args()
    options.device = choose_device(options.device)
    on_cpu = options.device.type == "cpu"
    options.rounds = ROUNDS_CPU if on_cpu else ROUNDS
    options.images = options.images or (IMAGES_CPU if on_cpu else IMAGES)
    rows = {name: measured(name, options) for name in options.models or list(MODELS)[: 1 if on_cpu else None]}
    text = report(rows, options)
    print(text)
    options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
