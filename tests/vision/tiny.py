"""Tiny models of the real architectures with random weights and real processors, built on the spot."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessor,
    MllamaProcessor,
    PreTrainedTokenizerFast,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)
from transformers.models.mllama.configuration_mllama import MllamaTextConfig, MllamaVisionConfig
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor

from extractor.readers.vision.generation import GenerateEngine
from extractor.readers.vision.mllama import MllamaEngine
from extractor.readers.vision.model_loading import LoadedModel, load
from extractor.readers.vision.model_options import VisionOptions

__all__ = ["GenerateEngine", "MllamaEngine", "VisionOptions", "load", "load_qwen", "save_mllama"]

torch.set_num_threads(1)  # tiny matrices: threads only wait for one another

# Side of a tile in pixels: four patches and a class token make 5 tokens.
TILE = 28

LLAMA_SPECIAL = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|finetune_right_pad_id|>", "<|image|>"]

QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]

QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

LLAMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{% for part in message.content %}{% if part.type == 'image' %}<|image|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def byte_tokenizer(special: list[str], corpus: list[str]) -> Tokenizer:
    """A byte-level BPE tokenizer: it can encode any text, and merges what the corpus repeats."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet))
    return tokenizer


def receipt_corpus() -> list[str]:
    receipt = {"merchant_name": "ACME STORE", "transaction_date": "2024-01-02", "items": [{"description": "milk", "total_price": "1.20"}]}
    return [json.dumps(receipt | {"total": "12.34"}, separators=(",", ":"))] * 20


def save_mllama(folder: Path, *, seed: int = 0) -> Path:
    """A folder with a tiny Mllama model: 4 text layers, 2 of them before the image, all gates open."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(LLAMA_SPECIAL, receipt_corpus()),
        bos_token=LLAMA_SPECIAL[0],
        eos_token=LLAMA_SPECIAL[1],
        pad_token=LLAMA_SPECIAL[4],
        padding_side="left",
    )
    tokenizer.chat_template = LLAMA_TEMPLATE
    vision = MllamaVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_global_layers=1,
        attention_heads=2,
        image_size=TILE,
        intermediate_layers_indices=[0, 1],
        vision_output_dim=96,
    )
    text = MllamaTextConfig(
        vocab_size=len(tokenizer) - 1,  # as in the real model, there are no logits for the image token, which is the last
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        cross_attention_layers=[1, 3],
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(seed)
    image_token = tokenizer.convert_tokens_to_ids("<|image|>")
    model = MllamaForConditionalGeneration(MllamaConfig(vision_config=vision, text_config=text, image_token_index=image_token))
    scatter(model)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    images = MllamaImageProcessor(size={"height": TILE, "width": TILE}, max_image_tiles=4)
    MllamaProcessor(image_processor=images, tokenizer=tokenizer, chat_template=LLAMA_TEMPLATE).save_pretrained(folder)
    return folder


def scatter(model: torch.nn.Module) -> None:
    """Weights so large that the image and every token matter, and gates that are open: at their initial 0 the image would be ignored."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "gate" in name and weight.numel() == 1:
                weight.fill_(0.5)
            elif weight.dim() >= 2:
                weight.normal_(0, 0.15)


class ImagesOnly(Qwen3VLProcessor):  # type: ignore[misc]
    """Qwen3-VL's processor without its part for videos, which needs torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: object) -> object:
        return None if argument_name == "video_processor" else super().check_argument_for_proper_class(argument_name, argument)


def load_qwen(*, seed: int = 0) -> LoadedModel:
    """A tiny Qwen3-VL model."""
    words = PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(QWEN_SPECIAL, receipt_corpus()),
        eos_token=QWEN_SPECIAL[2],
        pad_token=QWEN_SPECIAL[0],
        padding_side="left",
    )
    words.chat_template = QWEN_TEMPLATE
    images = Qwen2VLImageProcessorPil(patch_size=4, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 64, "longest_edge": 4096})
    processor = ImagesOnly(image_processor=images, tokenizer=words, video_processor=None, chat_template=QWEN_TEMPLATE)
    start, end, image, video = words.convert_tokens_to_ids(QWEN_SPECIAL[3:])
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0, "mrope_section": [4, 2, 2], "mrope_interleaved": True},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "patch_size": 4,
            "out_hidden_size": 64,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(config).eval()
    scatter(model)
    model.generation_config.eos_token_id = words.eos_token_id
    model.generation_config.pad_token_id = words.pad_token_id
    return LoadedModel(model, processor, "tiny Qwen3-VL")
