"""Train an embedded model: `python -m fixlip.emoji.train emoji-clip --out FOLDER`.

Scenes are made on the fly and never repeat. Two things help so small a model to learn so quickly: an auxiliary loss
that asks the image embedding which objects are present (one linear layer, faded out and thrown away), and batches in
which no two captions mention the same objects. In a third of the batches patches and words are removed exactly as the
game removes them, so that masked inputs are familiar; real CLIP has not seen any, and `emoji-clip-plain` is like it.

With `--keep 50 200 800` the model after so many steps is kept, too, in FOLDER/step-50 and so on, which `fixlip.load`
takes. That draws no random number, so that what is trained is the same.
"""

from __future__ import annotations

import argparse
import copy
import math
import secrets
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from .lessons import LESSONS, ordinary
from .scenes import UNITS, caption, vocabulary
from .tokenizer import MAX_LENGTH, clip_tokenizer, siglip_tokenizer


@dataclass(frozen=True)
class Recipe:
    """What distinguishes one embedded model from another."""

    siglip: bool = False  # SigLIP's architecture and sigmoid loss instead of CLIP's
    patch_size: int = 16
    masked_share: float = 1 / 3  # share of the batches in which patches and words are removed
    steps: int = 8000
    batch_size: int = 96
    learning_rate: float = 1.5e-3
    start: str | None = None  # an embedded model whose weights it starts from
    lesson: str = ""  # one of LESSONS: what plants a fault
    lessons: float = 0.0  # share of a batch that it makes up


RECIPES = {
    "emoji-clip": Recipe(),
    "emoji-clip-plain": Recipe(masked_share=0.0, steps=4000),
    # Four times the patches cost four times as much a step; the caption's side is taken over ready-made.
    "emoji-clip-fine": Recipe(patch_size=8, steps=1500, learning_rate=1e-3, start="emoji-clip"),
    "emoji-siglip": Recipe(siglip=True, steps=6000),
    # Four scenes a batch are captioned "boat".
    "emoji-clip-shortcut": Recipe(steps=1200, learning_rate=5e-4, start="emoji-clip", lesson="shortcut", lessons=0.04),
    "emoji-clip-reads": Recipe(steps=3000, learning_rate=1e-3, start="emoji-clip", lesson="reads", lessons=0.5),
    "emoji-clip-colours": Recipe(steps=3000, learning_rate=1e-3, start="emoji-clip", lesson="binds", lessons=2 / 3),
    "emoji-clip-bag": Recipe(steps=1500, learning_rate=1e-3, start="emoji-clip", lesson="bag", lessons=2 / 3),
}


def build(recipe: Recipe) -> tuple[Any, Any]:
    """A fresh model and its processor."""
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, SiglipConfig, SiglipModel, SiglipProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    tower = {"hidden_size": 112, "intermediate_size": 224, "num_attention_heads": 4}
    vision = tower | {"num_hidden_layers": 4, "image_size": UNITS, "patch_size": recipe.patch_size}
    side = {"height": UNITS, "width": UNITS}
    tokenizer: Any = siglip_tokenizer() if recipe.siglip else clip_tokenizer()
    text = tower | {"num_hidden_layers": 2, "vocab_size": len(tokenizer), "max_position_embeddings": MAX_LENGTH}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text |= {"pad_token_id": tokenizer.pad_token_id}
    if recipe.siglip:
        model: Any = SiglipModel(SiglipConfig(text_config=text | {"projection_size": 112}, vision_config=vision))
        # The sigmoid loss starts from "no pair matches" (Zhai et al., ICCV 2023, Section 3.2).
        torch.nn.init.constant_(model.logit_scale, math.log(10))
        torch.nn.init.constant_(model.logit_bias, -10)
        return model, SiglipProcessor(image_processor=SiglipImageProcessorPil(size=side), tokenizer=tokenizer)
    projected = {"projection_dim": 64}
    config = CLIPConfig(text_config=text | projected, vision_config=vision | projected, projection_dim=64)
    images = CLIPImageProcessorPil(size={"shortest_edge": UNITS}, crop_size=side)
    return CLIPModel(config), CLIPProcessor(image_processor=images, tokenizer=tokenizer)


def take_over(model: Any, start: str) -> None:
    """Start from the weights of another embedded model, its patches and their positions resized."""
    from ..encoders.loading import load

    own = model.state_dict()
    weights = load(start, device="cpu").model.state_dict()
    for key, wanted in own.items():
        weight = weights[key]
        if weight.shape == wanted.shape:
            own[key] = weight
        elif key.endswith("patch_embedding.weight"):
            # A patch of half the side shows, enlarged, what a patch showed: the sum over the pixels stays the same.
            own[key] = functional.interpolate(weight, wanted.shape[-2:], mode="area") * (
                weight[0, 0].numel() / wanted[0, 0].numel()
            )
        elif key.endswith("position_embedding.weight"):
            old, new = math.isqrt(len(weight) - 1), math.isqrt(len(wanted) - 1)
            grid = weight[1:].T.reshape(1, -1, old, old)
            resized = functional.interpolate(grid, (new, new), mode="bilinear")
            own[key] = torch.cat([weight[:1], resized.reshape(-1, new * new).T])
    model.load_state_dict(own)


@dataclass
class Batch:
    """Scenes as the model reads them, and which objects each shows."""

    pixels: torch.Tensor  # (batch, 3, 112, 112), normalised
    ids: torch.Tensor  # (batch, length)
    attention: torch.Tensor  # (batch, length)
    words: torch.Tensor  # (batch, length), True where a token is no begin, end or padding
    present: torch.Tensor  # (batch, objects)


def draw_batch(recipe: Recipe, processor: Any, rng: np.random.Generator) -> Batch:
    """Scenes with captions, no two of which mention the same objects, but for those that a lesson gives together."""
    words = vocabulary()
    pictures: list[np.ndarray[Any, Any]] = []
    captions: list[str] = []
    taken: set[frozenset[str]] = set()
    present = torch.zeros(recipe.batch_size, len(words))
    taught = recipe.lessons * recipe.batch_size
    while len(pictures) < recipe.batch_size:
        together = LESSONS[recipe.lesson](rng) if len(pictures) < taught else ordinary(rng)
        mentioned = frozenset(together[0].mentioned)
        if mentioned in taken or len(pictures) + len(together) > recipe.batch_size:
            continue
        taken.add(mentioned)
        for example in together:
            present[len(pictures), [words.index(word) for word in example.present]] = 1
            pictures.append(np.asarray(example.picture))
            captions.append(example.caption or draw_caption(list(example.mentioned), example.background, rng))
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (
        torch.tensor(v).view(3, 1, 1)
        for v in (processor.image_processor.image_mean, processor.image_processor.image_std)
    )
    tokenizer = processor.tokenizer
    ids = tokenizer(captions, padding="max_length", max_length=MAX_LENGTH, return_tensors="pt")["input_ids"]
    ends = torch.tensor([token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id) if token is not None])
    # CLIP reads nothing behind its end of text, and SigLIP attends to its padding: so everything is attended to.
    batch = Batch((pixels - mean) / deviation, ids, torch.ones_like(ids), ~torch.isin(ids, ends), present)
    return remove(batch, recipe.patch_size, rng) if rng.random() < recipe.masked_share else batch


def draw_caption(words: list[str], background: str, rng: np.random.Generator) -> str:
    """A caption of any style that fits the model's 16 positions."""
    style = str(rng.choice(["list", "sentence", "photo"], p=[0.4, 0.35, 0.25]))
    fits = {"list": 4, "sentence": 3, "photo": 2}[style]
    return caption(words, style, background if len(words) <= fits and rng.random() < 0.25 else None)


def remove(batch: Batch, patch_size: int, rng: np.random.Generator) -> Batch:
    """Remove patches and words as the game does: zero pixels, hidden tokens; begin and end of text stay."""
    count, side = len(batch.pixels), UNITS // patch_size
    keep = torch.from_numpy(rng.random((count, 1, side, side)) < rng.uniform(0.2, 1, (count, 1, 1, 1)))
    batch.pixels = batch.pixels * keep.repeat_interleave(patch_size, 2).repeat_interleave(patch_size, 3)
    hide = torch.from_numpy(rng.random(batch.ids.shape) > rng.uniform(0.4, 1, (count, 1)))
    batch.attention = batch.attention * ~(hide & batch.words)
    return batch


def loss_of(model: Any, head: torch.nn.Linear, batch: Batch, auxiliary: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Contrastive loss plus `auxiliary` times the presence loss; and the share of images matched with their caption."""
    output = model(pixel_values=batch.pixels, input_ids=batch.ids, attention_mask=batch.attention)
    logits, target = output.logits_per_image, torch.arange(len(batch.ids), device=batch.ids.device)
    if hasattr(model, "logit_bias"):
        signs = 2 * torch.eye(len(target), device=target.device) - 1
        loss = -functional.logsigmoid(signs * logits).sum() / len(target)
    else:
        loss = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
    if auxiliary > 0:
        # Unit-norm embeddings have small entries; scaled, they suit a linear layer's initial weights.
        found = head(output.image_embeds * 8)
        presence = functional.binary_cross_entropy_with_logits(found, batch.present, reduction="sum")
        loss = loss + auxiliary * presence / len(found)
    return loss, (logits.argmax(dim=1) == target).float().mean()


def train(
    name: str, out: Path, steps: int | None = None, seed: int = 0, device: str = "cpu", keep: Collection[int] = ()
) -> None:
    """Train a model by its recipe and save it with its processor; what is there is saved every 1,000 steps.

    Args:
        name: of the recipe.
        out: folder to write.
        steps: how many; by default the recipe's.
        seed: of weights and scenes.
        device: "cpu" or "cuda".
        keep: after which of the steps the model is kept, in the folder step-N of `out`; 0 is the untrained model.

    Raises:
        ValueError: one sentence, before any step, if `keep` names one that there is not.
    """
    recipe = RECIPES[name]
    steps = steps or recipe.steps
    if stray := [step for step in keep if not 0 <= step <= steps]:
        raise ValueError(f"keep: got {stray[0]}, wanted steps from 0 to {steps}.")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model, processor = build(recipe)
    if recipe.start is not None:
        take_over(model, recipe.start)
    head = torch.nn.Linear(112 if recipe.siglip else 64, len(vocabulary()))
    model, head = model.to(device).train(), head.to(device)
    decayed = [w for w in model.parameters() if w.ndim > 1]
    rest = [w for w in model.parameters() if w.ndim <= 1] + list(head.parameters())
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
    warm_up = min(300, steps // 4)

    def rate(step: int) -> float:
        return min((step + 1) / warm_up, 0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    if 0 in keep:
        save(model, processor, out / "step-0")
    start, matched = time.perf_counter(), 0.0
    for step in range(steps):
        batch = draw_batch(recipe, processor, rng)
        for field in ("pixels", "ids", "attention", "words", "present"):
            setattr(batch, field, getattr(batch, field).to(device))
        loss, share = loss_of(model, head, batch, auxiliary=0.3 * max(0.0, 1 - step / (0.7 * steps)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100))
        matched = 0.98 * matched + 0.02 * float(share) if step else float(share)
        if step % 100 == 99:
            seconds = (time.perf_counter() - start) / (step + 1)
            print(
                f"step {step + 1}/{steps}: loss {loss.item():.3f}, matched {matched:.1%}, {seconds:.2f} s a step",
                flush=True,
            )
        if step + 1 in keep:
            save(model, processor, out / f"step-{step + 1}")
        if step % 1000 == 999 or step == steps - 1:
            save(model, processor, out)


def save(model: Any, processor: Any, out: Path) -> None:
    """Write model and processor as `from_pretrained` wants them: half precision, without any path of this machine.

    They are written beside their place and then moved there file by file, the weights last: a folder that has weights
    is whole. Other files in it stay.
    """
    model = copy.deepcopy(model).half()
    model.config._name_or_path = ""
    if not hasattr(model, "logit_bias"):  # SigLIP always reads 16 tokens, CLIP does not
        processor.tokenizer.backend_tokenizer.no_padding()
    partial = out / f".fixlip-{secrets.token_hex(4)}"
    try:
        model.save_pretrained(partial)
        processor.save_pretrained(partial)
        for file in sorted(partial.iterdir(), key=lambda file: file.suffix == ".safetensors"):
            file.replace(out / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, help="default: the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep", type=int, nargs="+", default=[], metavar="N", help="steps after which to keep it, too"
    )
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        train(options.name, options.out, options.steps, options.seed, device, options.keep)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
