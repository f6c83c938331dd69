"""Small models of every family of transformers: random weights, a tokenizer trained here, saved as a user would."""

import json

import torch

CORPUS = [
    "a cat next to a banana on the table",
    "A Dog and two Cats play with the red ball",
    "an old boat on the quiet lake, and trees",
    "the butterfly is flying over houses and cars",
]
WIDTH, LAYERS, SIDE = 32, 2, 56
_TOWER = {"hidden_size": WIDTH, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": LAYERS}
_VIT = _TOWER | {"image_size": SIDE, "patch_size": 8}
FAMILIES = ("clip", "metaclip_2", "siglip", "siglip2-fixed", "siglip2", "altclip", "chinese_clip", "align")


def byte_level(corpus=CORPUS):
    """CLIP's: byte-level BPE whose words end with a mark."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    core = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, end_of_word_suffix="</w>")
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.train_from_iterator([text.lower() for text in corpus], trainer)
    learnt = core.get_vocab()
    merges = [tuple(pair) for pair in json.loads(core.to_str())["model"]["merges"]]
    tokens = sorted({*learnt, *alphabet, *(letter + "</w>" for letter in alphabet)})
    return CLIPTokenizer({token: k for k, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}, merges)


def unigram(special, corpus=CORPUS):
    """A sentencepiece unigram model's vocabulary, with log probabilities."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False)
    core.train_from_iterator([*corpus] * 9, trainer)
    return [tuple(entry) for entry in json.loads(core.to_str())["model"]["vocab"]]


def xlm_roberta():
    """MetaCLIP-2's and AltCLIP's."""
    from transformers import XLMRobertaTokenizer

    return XLMRobertaTokenizer(vocab=unigram(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))


def siglip():
    """SigLIP's: one token is both end of text and padding; words in small letters."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.Unigram(unigram(["<unk>", "</s>"], [text.lower() for text in CORPUS]), unk_id=0))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


def gemma(kind):
    """SigLIP-2's: Gemma's BPE with bytes to fall back on, an end of text and no begin; capitals have tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    core = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    core.normalizer = normalizers.Replace(" ", "\u2581")
    core.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    trainer = trainers.BpeTrainer(vocab_size=380, special_tokens=special, show_progress=False)
    core.train_from_iterator(CORPUS + [text.lower() for text in CORPUS], trainer)
    model = json.loads(core.to_str())["model"]
    return kind(model["vocab"], [tuple(pair) for pair in model["merges"]], add_bos_token=False, add_eos_token=True)


def word_piece():
    """Chinese-CLIP's and ALIGN's, in small letters; Chinese characters stand alone."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizer

    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    core.train_from_iterator([*CORPUS, "\u732b \u72d7 \u7ea2 \u8272"], trainer)
    return BertTokenizer(core.get_vocab())


def _numbers(tokenizer):
    kinds = {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    return {"vocab_size": len(tokenizer)} | {f"{kind}_token_id": number for kind, number in kinds.items()}


def build(family):
    """A model and its processor."""
    import transformers as t
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.efficientnet.image_processing_pil_efficientnet import EfficientNetImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    torch.manual_seed(0)
    side = {"height": SIDE, "width": SIDE}
    cropped = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=side)
    squeezed = SiglipImageProcessorPil(size=side)
    text, length = dict(_TOWER), {"max_position_embeddings": 28}
    quiet = {"hidden_dropout_prob": 0.5, "type_vocab_size": 1}
    if family in ("clip", "metaclip_2"):
        tokenizer = byte_level() if family == "clip" else xlm_roberta()
        kind, config, processor = (
            (t.CLIPModel, t.CLIPConfig, t.CLIPProcessor)
            if family == "clip"
            else (t.MetaClip2Model, t.MetaClip2Config, t.CLIPProcessor)
        )
        given = config(text_config=text | length | _numbers(tokenizer), vision_config=_VIT, projection_dim=16)
        return kind(given), processor(image_processor=cropped, tokenizer=tokenizer)
    if family in ("siglip", "siglip2-fixed"):
        tokenizer = siglip() if family == "siglip" else gemma(t.GemmaTokenizer)
        given = t.SiglipConfig(text_config=text | length | _numbers(tokenizer), vision_config=_VIT)
        return _loud(t.SiglipModel(given)), t.SiglipProcessor(image_processor=squeezed, tokenizer=tokenizer)
    if family == "siglip2":
        tokenizer = gemma(t.Siglip2Tokenizer)
        vision = _TOWER | {"patch_size": 8, "num_patches": 36}
        given = t.Siglip2Config(text_config=text | length | _numbers(tokenizer), vision_config=vision)
        images = Siglip2ImageProcessorPil(patch_size=8, max_num_patches=36)
        return _loud(t.Siglip2Model(given)), t.Siglip2Processor(image_processor=images, tokenizer=tokenizer)
    if family == "altclip":
        tokenizer = xlm_roberta()
        texts = text | length | quiet | _numbers(tokenizer) | {"project_dim": WIDTH, "initializer_factor": 1.0}
        given = t.AltCLIPConfig(text_config=texts, vision_config=_VIT, projection_dim=16)
        return t.AltCLIPModel(given), t.AltCLIPProcessor(image_processor=cropped, tokenizer=tokenizer)
    tokenizer = word_piece()
    texts = text | length | quiet | _numbers(tokenizer)
    if family == "chinese_clip":
        given = t.ChineseCLIPConfig(text_config=texts, vision_config=_VIT, projection_dim=16)
        return t.ChineseCLIPModel(given), t.ChineseCLIPProcessor(image_processor=cropped, tokenizer=tokenizer)
    blocks = {"kernel_sizes": [3, 5], "in_channels": [32, 8], "out_channels": [8, 16], "strides": [2, 2]}
    blocks |= {"num_block_repeats": [1, 1], "expand_ratios": [1, 2], "hidden_dim": 16, "depth_divisor": 8}
    vision = blocks | {"image_size": 58, "width_coefficient": 1.0, "depth_coefficient": 1.0}
    given = t.AlignConfig(text_config=texts, vision_config=vision, projection_dim=16, temperature_init_value=0.1)
    images = EfficientNetImageProcessorPil(
        size={"height": 64, "width": 64}, crop_size={"height": 58, "width": 58}, do_center_crop=True, include_top=False
    )
    model = t.AlignModel(given)
    for module in model.modules():  # one as it was trained sees pictures, and blank ones have an embedding, too
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.bias, std=0.5)
    return model, t.AlignProcessor(image_processor=images, tokenizer=tokenizer)


def _loud(model):
    """SigLIP's scale and bias begin at nothing."""
    torch.nn.init.constant_(model.logit_scale, 2.0)
    torch.nn.init.constant_(model.logit_bias, -3.0)
    return model


def save(family, folder):
    """Save a small model of the family, as a user's own folder."""
    model, processor = build(family)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
