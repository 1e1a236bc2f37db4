"""Builds Llama 3.2 Vision with random weights: real shapes, vocabulary size and processor, without a download.

Speed and memory depend on shapes alone, and a grammar makes any model answer validly; so everything except accuracy can be measured
without the real weights.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import MllamaConfig, MllamaForConditionalGeneration, MllamaImageProcessor, MllamaProcessor, PreTrainedTokenizerFast
from transformers.models.mllama.configuration_mllama import MllamaTextConfig, MllamaVisionConfig

from extractor.readers.prompts import FIRST, answer_schema, prompt

# Llama 3's vocabulary without its 256 control tokens and the image token, which has no logits.
ORDINARY_TOKENS = 128_000

# Control tokens in use, by their offset after the ordinary tokens; all others are reserved.
CONTROL = {0: "<|begin_of_text|>", 4: "<|finetune_right_pad_id|>", 6: "<|start_header_id|>", 7: "<|end_header_id|>", 9: "<|eot_id|>"}

# Pre-tokenisation of Llama 3. Source: the model's published tokenizer.
LLAMA_3_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{% for part in message.content %}{% if part.type == 'image' %}<|image|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)


def tokenizer(*, seed: int = 0) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer of Llama 3's size, trained on this project's prompts and filled up with random merges."""
    trained = Tokenizer(models.BPE())
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trained.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA_3_WORDS), "isolated"), bytes_only])
    trained.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(_corpus(), trainers.BpeTrainer(vocab_size=4000, initial_alphabet=alphabet, min_frequency=1))
    state = json.loads(trained.to_str())
    vocabulary, merges = state["model"]["vocab"], state["model"]["merges"]
    dice, parts = random.Random(seed), list(vocabulary)  # noqa: S311 - no secret
    while len(vocabulary) < ORDINARY_TOKENS:
        left, right = dice.choice(parts), dice.choice(parts)
        if left + right not in vocabulary and len(left + right) <= 12:
            vocabulary[left + right] = len(vocabulary)
            merges.append([left, right])
    whole = Tokenizer.from_str(json.dumps(state))
    control = [CONTROL.get(place, f"<|reserved_special_token_{place}|>") for place in range(256)]
    whole.add_special_tokens([*control, "<|image|>"])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=whole, bos_token=CONTROL[0], eos_token=CONTROL[9], pad_token=CONTROL[4], padding_side="left"
    )
    fast.chat_template = TEMPLATE
    return fast


def _corpus() -> Iterator[str]:
    yield prompt(FIRST)
    yield json.dumps(answer_schema(FIRST))
    yield from (path.read_text(encoding="utf-8") for path in sorted(Path("extractor").rglob("*.py")))


def processor(words: PreTrainedTokenizerFast) -> MllamaProcessor:
    images = MllamaImageProcessor(size={"height": 560, "width": 560}, max_image_tiles=4)
    return MllamaProcessor(image_processor=images, tokenizer=words, chat_template=TEMPLATE)


def model(words: PreTrainedTokenizerFast, *, layers: int = 40, dtype: torch.dtype = torch.bfloat16) -> MllamaForConditionalGeneration:
    """Return the 11B model, or one with fewer text layers (a multiple of 5; one of five has cross-attention to the image)."""
    text = MllamaTextConfig(
        vocab_size=ORDINARY_TOKENS + 256,
        num_hidden_layers=layers,
        cross_attention_layers=list(range(3, layers, 5)),
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
        },
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    image_token = words.convert_tokens_to_ids("<|image|>")
    config = MllamaConfig(vision_config=MllamaVisionConfig(image_size=560), text_config=text, image_token_index=image_token)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda"):
            made = MllamaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    for name, weight in made.named_parameters():
        if "gate" in name and weight.numel() == 1:
            weight.data.fill_(0.1)  # initialised to 0, which would disable the image
    made.generation_config.pad_token_id = words.pad_token_id
    made.generation_config.eos_token_id = words.eos_token_id
    return made.eval()


def save(folder: Path) -> None:
    """Write the 11B checkpoint in bf16 (21 GB) with its processor."""
    words = tokenizer()
    model(words).save_pretrained(folder, max_shard_size="5GB")
    processor(words).save_pretrained(folder)
