"""Mllama's text layers over pools of keys and values: whole questions (prefill), or a few new tokens of each row (step).

The same arithmetic as in transformers, but with memory that does not move, as CUDA graphs need, and without the masks, copies and
synchronisations on which `generate` spends most of its time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from extractor.readers.vision.attention import Runs, attend
from extractor.readers.vision.kv_pools import KvPool, Span

# Maps a layer, and queries, keys and values of the text (rows, tokens, heads, head size), to the attention output, shaped as the queries.
OwnAttention = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

# Maps a layer, and queries (rows, tokens, heads, head size), to the attention output over the row's images.
ImageAttention = Callable[[int, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Shape:
    """The dimensions of a Mllama model that its memory depends on.

    Attributes:
        text_layers: Indices of the layers that attend to the text.
        image_layers: Indices of the layers that attend to the images.
        heads: Key heads.
        head_size: Size of a head.
        tile_tokens: Image tokens of one tile.
        max_tiles: Maximum tiles of an image.
    """

    text_layers: tuple[int, ...]
    image_layers: tuple[int, ...]
    heads: int
    head_size: int
    tile_tokens: int
    max_tiles: int

    @classmethod
    def of(cls, model: Any) -> "Shape":
        """Return the shape of a `MllamaForConditionalGeneration`."""
        text, vision = model.config.text_config, model.config.vision_config
        image_layers = tuple(text.cross_attention_layers)
        return cls(
            text_layers=tuple(index for index in range(text.num_hidden_layers) if index not in image_layers),
            image_layers=image_layers,
            heads=text.num_key_value_heads,
            head_size=text.hidden_size // text.num_attention_heads,
            tile_tokens=(vision.image_size // vision.patch_size) ** 2 + 1,
            max_tiles=vision.max_num_tiles,
        )


@dataclass(frozen=True)
class StepInput:
    """The new tokens of all rows, one row after another, and the rows' places in the pools; int64 tensors.

    Attributes:
        token: (tokens) Token ids.
        position: (tokens) Places in their rows' texts, counted from 0.
        slot: (tokens) Places in the text pool; 0, which is reserved, for a token that belongs to no row.
        runs: The tokens of each row.
        text: (rows) First token of the row's text in the text pool.
        length: (rows) Tokens of the row's text, the new ones included; 0 for an idle row.
        image: (rows) First token of the row's images in the image pool.
        image_size: (rows) Tokens of the row's images; 0 for an idle row.
    """

    token: torch.Tensor
    position: torch.Tensor
    slot: torch.Tensor
    runs: Runs
    text: torch.Tensor
    length: torch.Tensor
    image: torch.Tensor
    image_size: torch.Tensor


class TextLayers:
    """The text layers of a Mllama model, over its pools."""

    def __init__(self, model: Any, text_pool: KvPool, image_pool: KvPool) -> None:
        self._text = model.model.language_model
        self._head = model.lm_head
        self._shape = Shape.of(model)
        self.text_pool, self.image_pool = text_pool, image_pool

    def step(self, inputs: StepInput) -> torch.Tensor:
        """Return hidden states (tokens, size) of the new tokens, and store their keys and values in the text pool; see `logits`."""

        def own(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            keys, values = self.text_pool.keys[layer], self.text_pool.values[layer]
            keys.index_copy_(0, inputs.slot, key[0])
            values.index_copy_(0, inputs.slot, value[0])
            return attend(query[0], keys, values, inputs.runs, inputs.text, inputs.length, is_causal=True)[None]

        def image(layer: int, query: torch.Tensor) -> torch.Tensor:
            keys, values = self.image_pool.keys[layer], self.image_pool.values[layer]
            return attend(query[0], keys, values, inputs.runs, inputs.image, inputs.image_size, is_causal=False)[None]

        return self._forward(inputs.token[None], inputs.position[None], own, image)[0]

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits (tokens, vocabulary) for hidden states (tokens, size)."""
        logits: torch.Tensor = self._head(_normed(self._text.norm, hidden))
        return logits

    def prefill_images(
        self, prefix: torch.Tensor, states: Sequence[torch.Tensor], spans: Sequence[Span], sizes: Sequence[int]
    ) -> torch.Tensor:
        """Process the tokens up to the last image; return their keys and values, (rows, text layers, 2, tokens, heads, head size).

        The keys and values of a row's images are stored in its span of the image pool, one image after the other.

        Args:
            prefix: (tokens) Token ids up to the last image. The image tokens come last; only they are trained to attend to images, each to
                its own and those before it.
            states: For each image of a row, its features, (rows, tokens of all tiles, size).
            sizes: For each image of a row, the tokens of its used tiles, which come first in `states`.
        """
        count, kept, all_states = len(sizes), list[torch.Tensor](), torch.cat(list(states), dim=1)
        per_image = states[0].shape[1]

        def own(_: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            kept.append(torch.stack([key, value], dim=1))
            return _attention(query, key, value, is_causal=True)

        def image(layer: int, query: torch.Tensor) -> torch.Tensor:
            attention = self._text.layers[layer].cross_attn
            keys = _normed(attention.k_norm, self._split(attention.k_proj(all_states)))
            values = self._split(attention.v_proj(all_states))
            # The model was trained with a mask that hides all tiles from the earlier tokens, which amounts to attending to all of them.
            outputs = [_attention(query[:, :-count], keys, values)]
            used = [slice(number * per_image, number * per_image + size) for number, size in enumerate(sizes)]
            for number in range(count):
                visible_keys = torch.cat([keys[:, part] for part in used[: number + 1]], dim=1)
                visible_values = torch.cat([values[:, part] for part in used[: number + 1]], dim=1)
                place = query.shape[1] - count + number
                outputs.append(_attention(query[:, place : place + 1], visible_keys, visible_values))
            for index, span in enumerate(spans):
                self.image_pool.write(layer, span.start, visible_keys[index], visible_values[index])
            return torch.cat(outputs, dim=1)

        tokens = torch.arange(len(prefix), device=prefix.device)
        is_image = (tokens >= len(prefix) - count)[:, None].to(all_states.dtype)
        self._forward(prefix.expand(len(spans), -1), tokens.expand(len(spans), -1), own, image, attends=is_image)
        return torch.stack(kept, dim=1)

    def prefill(
        self, questions: Sequence[Sequence[int]], prefix: torch.Tensor, texts: Sequence[Span], images: Sequence[Span]
    ) -> torch.Tensor:
        """Process questions; return logits (rows, vocabulary) after each. Keys and values of prefix and question go to the text pool.

        Args:
            questions: Token ids after the images, of any length.
            prefix: Keys and values of the tokens up to the last image, as returned by `prefill_images`.
            texts: Each row's span of the text pool.
            images: Each row's span of the image pool.
        """
        device, known = prefix.device, prefix.shape[3]
        sizes = [len(question) for question in questions]
        longest = max(sizes)
        # Padded on the right, where the causal mask hides the padding.
        ids = torch.tensor([[*question, *[0] * (longest - len(question))] for question in questions], device=device)
        offsets = torch.arange(longest, device=device)
        positions = (known + offsets).expand(len(sizes), -1)
        is_token = offsets < torch.tensor(sizes, device=device)[:, None]
        starts = torch.tensor([span.start for span in texts], device=device)
        row_of, place_of = is_token.nonzero(as_tuple=True)
        slots = starts[row_of] + positions[row_of, place_of]
        known_slots = starts[:, None] + torch.arange(known, device=device)
        depth = {layer: index for index, layer in enumerate(self._shape.text_layers)}

        def own(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            keys, values = self.text_pool.keys[layer], self.text_pool.values[layer]
            known_keys, known_values = prefix[:, depth[layer]].unbind(1)
            keys[known_slots], values[known_slots] = known_keys, known_values
            keys[slots], values[slots] = key[row_of, place_of], value[row_of, place_of]
            # Zero queries for the prefix: with as many queries as keys no mask is needed, which fast kernels do not take.
            queries = torch.cat([query.new_zeros(len(sizes), known, *query.shape[2:]), query], dim=1)
            all_keys, all_values = torch.cat([known_keys, key], dim=1), torch.cat([known_values, value], dim=1)
            return _attention(queries, all_keys, all_values, is_causal=True)[:, known:]

        def image(layer: int, query: torch.Tensor) -> torch.Tensor:
            keys, values = self.image_pool.keys[layer], self.image_pool.values[layer]
            outputs = [
                _attention(query[row : row + 1], keys[None, span.start : end], values[None, span.start : end])
                for row, span in enumerate(images)
                for end in [span.start + span.size]
            ]
            return torch.cat(outputs)

        hidden = self._forward(ids, positions, own, image)
        last = torch.tensor(sizes, device=device) - 1
        return self.logits(hidden[torch.arange(len(sizes), device=device), last])

    def _forward(
        self, ids: torch.Tensor, positions: torch.Tensor, own: OwnAttention, image: ImageAttention, *, attends: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return hidden states (rows, tokens, size) after the last layer.

        Args:
            own: Attention to the text.
            image: Attention to the images.
            attends: (tokens, 1): 1 for a token that attends to the images, else 0; `None` if all do.
        """
        hidden = self._text.embed_tokens(ids)
        cos, sin = (part.unsqueeze(2) for part in self._text.rotary_emb(hidden, position_ids=positions))
        image_layers = frozenset(self._shape.image_layers)
        for index, layer in enumerate(self._text.layers):
            normed = _normed(layer.input_layernorm, hidden)
            if index in image_layers:
                attention = layer.cross_attn
                query = _normed(attention.q_norm, self._split(attention.q_proj(normed)))
                output = attention.o_proj(image(index, query).flatten(2))
                hidden = hidden + layer.cross_attn_attn_gate.tanh() * output
                output = layer.mlp(_normed(layer.post_attention_layernorm, hidden))
                hidden = hidden + layer.cross_attn_mlp_gate.tanh() * (output if attends is None else attends * output)
            else:
                attention = layer.self_attn
                query = _rotated(self._split(attention.q_proj(normed)), cos, sin)
                key = _rotated(self._split(attention.k_proj(normed)), cos, sin)
                value = self._split(attention.v_proj(normed))
                hidden = hidden + attention.o_proj(own(index, query, key, value).flatten(2))
                hidden = hidden + layer.mlp(_normed(layer.post_attention_layernorm, hidden))
        return hidden

    def _split(self, flat: torch.Tensor) -> torch.Tensor:
        return flat.unflatten(-1, (-1, self._shape.head_size))


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, is_causal: bool = False) -> torch.Tensor:
    """Scaled dot-product attention over (rows, tokens, heads, head size)."""
    output = functional.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        is_causal=is_causal,
        enable_gqa=key.shape[2] != query.shape[2],
    )
    return output.transpose(1, 2)


def _normed(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Apply a norm of transformers' in one kernel instead of six."""
    return functional.rms_norm(hidden, (hidden.shape[-1],), norm.weight, norm.variance_epsilon)


def _rotated(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding, halves as in Llama."""
    left, right = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-right, left), dim=-1) * sin
