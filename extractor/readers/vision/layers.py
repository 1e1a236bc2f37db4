"""Mllama's text layers over pools of keys and values: a whole question at once, or a few new tokens of each row.

The same arithmetic as in transformers, with memory that does not move, which is what a CUDA graph needs, and without the masks, copies and
waits for the GPU that cost `generate` most of its time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from extractor.readers.vision.attention import Runs, attend
from extractor.readers.vision.kv_pools import KvPool, Span

OwnAttention = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Layer, queries, keys and values (rows, tokens, heads, head size) to what the queries draw, shaped as the queries."""

ImageAttention = Callable[[int, torch.Tensor], torch.Tensor]
"""Layer and queries (rows, tokens, heads, head size) to what they draw from the image."""


@dataclass(frozen=True)
class Shape:
    """What the memory of a Mllama model depends on.

    Attributes:
        text_layers: Indices of the layers that attend to the text.
        image_layers: Indices of the layers that attend to the image.
        heads: Key heads.
        head_size: Numbers in a head.
        tile_tokens: Image tokens of one tile.
        max_tiles: Tiles of an image at most.
    """

    text_layers: tuple[int, ...]
    image_layers: tuple[int, ...]
    heads: int
    head_size: int
    tile_tokens: int
    max_tiles: int

    @classmethod
    def of(cls, model: Any) -> "Shape":
        """The shape of a `MllamaForConditionalGeneration`."""
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
class Feed:
    """What a step works on: the new tokens of all rows, one row after another, and where the rows are; int64 tensors.

    Attributes:
        token: (tokens) Token ids.
        position: (tokens) Places in their rows' texts, counted from 0.
        slot: (tokens) Places in the text pool; 0, which is kept free, for a token that belongs to no row.
        runs: Which tokens belong to which row.
        text: (rows) First token of the row's text in the text pool.
        length: (rows) Tokens of the row's text, the new ones included; 0 for an idle row.
        image: (rows) First token of the row's image in the image pool.
        image_size: (rows) Tokens of the row's image; 0 for an idle row.
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
    """The text half of a Mllama model, over its pools."""

    def __init__(self, model: Any, text_pool: KvPool, image_pool: KvPool) -> None:
        self._text = model.model.language_model
        self._head = model.lm_head
        self._shape = Shape.of(model)
        self.text_pool, self.image_pool = text_pool, image_pool

    def step(self, feed: Feed) -> torch.Tensor:
        """Hidden states (tokens, size) of the new tokens, whose keys and values are stored in the text pool; see `logits`."""

        def own(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            keys, values = self.text_pool.keys[layer], self.text_pool.values[layer]
            keys.index_copy_(0, feed.slot, key[0])
            values.index_copy_(0, feed.slot, value[0])
            return attend(query[0], keys, values, feed.runs, feed.text, feed.length, is_causal=True)[None]

        def image(layer: int, query: torch.Tensor) -> torch.Tensor:
            keys, values = self.image_pool.keys[layer], self.image_pool.values[layer]
            return attend(query[0], keys, values, feed.runs, feed.image, feed.image_size, is_causal=False)[None]

        return self._through(feed.token[None], feed.position[None], own, image)[0]

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (tokens, vocabulary) after hidden states (tokens, size)."""
        logits: torch.Tensor = self._head(_normed(self._text.norm, hidden))
        return logits

    def show(self, prefix: torch.Tensor, states: Sequence[torch.Tensor], spans: Sequence[Span], sizes: Sequence[int]) -> torch.Tensor:
        """What the tokens up to the last image leave behind, (rows, text layers, 2, tokens, heads, head size): keys, then values.

        The keys and values of a row's images are stored in its span of the image pool, one image after the other.

        Args:
            prefix: (tokens) Token ids up to the images; the last are the image tokens, and the only ones that are taught to see images:
                each its own and those before it.
            states: By image of a row, (rows, tokens of all tiles, size): features.
            sizes: By image of a row: tokens of the tiles in use, which come first in `states`.
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
            # The model was trained with a mask that hides all from the earlier tokens, which then draw from all tiles alike.
            drawn = [_attention(query[:, :-count], keys, values)]
            used = [slice(number * per_image, number * per_image + size) for number, size in enumerate(sizes)]
            for number in range(count):
                seen_keys = torch.cat([keys[:, part] for part in used[: number + 1]], dim=1)
                seen_values = torch.cat([values[:, part] for part in used[: number + 1]], dim=1)
                place = query.shape[1] - count + number
                drawn.append(_attention(query[:, place : place + 1], seen_keys, seen_values))
            for index, span in enumerate(spans):
                self.image_pool.write(layer, span.start, seen_keys[index], seen_values[index])
            return torch.cat(drawn, dim=1)

        tokens = torch.arange(len(prefix), device=prefix.device)
        is_image = (tokens >= len(prefix) - count)[:, None].to(all_states.dtype)
        self._through(prefix.expand(len(spans), -1), tokens.expand(len(spans), -1), own, image, sees=is_image)
        return torch.stack(kept, dim=1)

    def read(self, questions: Sequence[Sequence[int]], prefix: torch.Tensor, texts: Sequence[Span], images: Sequence[Span]) -> torch.Tensor:
        """Logits (rows, vocabulary) after each question; keys and values of prefix and question are stored in the text pool.

        Args:
            questions: Token ids after the image, of any length.
            prefix: What is kept of the tokens up to the image, (rows, text layers, 2, tokens, heads, head size): keys, then values.
        """
        device, known = prefix.device, prefix.shape[3]
        sizes = [len(question) for question in questions]
        longest = max(sizes)
        # Padded on the right, where the causal mask keeps padding from being seen.
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
            # Blank queries for the prefix: as many queries as keys need no mask, which fast kernels do not take.
            queries = torch.cat([query.new_zeros(len(sizes), known, *query.shape[2:]), query], dim=1)
            all_keys, all_values = torch.cat([known_keys, key], dim=1), torch.cat([known_values, value], dim=1)
            return _attention(queries, all_keys, all_values, is_causal=True)[:, known:]

        def image(layer: int, query: torch.Tensor) -> torch.Tensor:
            keys, values = self.image_pool.keys[layer], self.image_pool.values[layer]
            drawn = [
                _attention(query[row : row + 1], keys[None, span.start : end], values[None, span.start : end])
                for row, span in enumerate(images)
                for end in [span.start + span.size]
            ]
            return torch.cat(drawn)

        hidden = self._through(ids, positions, own, image)
        last = torch.tensor(sizes, device=device) - 1
        return self.logits(hidden[torch.arange(len(sizes), device=device), last])

    def _through(
        self, ids: torch.Tensor, positions: torch.Tensor, own: OwnAttention, image: ImageAttention, *, sees: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Hidden states (rows, tokens, size) after the last layer.

        Args:
            sees: (tokens, 1): 1 for a token that sees the image, else 0; `None` if all do.
        """
        hidden = self._text.embed_tokens(ids)
        cos, sin = (part.unsqueeze(2) for part in self._text.rotary_emb(hidden, position_ids=positions))
        image_layers = frozenset(self._shape.image_layers)
        for index, layer in enumerate(self._text.layers):
            normed = _normed(layer.input_layernorm, hidden)
            if index in image_layers:
                attention = layer.cross_attn
                query = _normed(attention.q_norm, self._split(attention.q_proj(normed)))
                drawn = attention.o_proj(image(index, query).flatten(2))
                hidden = hidden + layer.cross_attn_attn_gate.tanh() * drawn
                thought = layer.mlp(_normed(layer.post_attention_layernorm, hidden))
                hidden = hidden + layer.cross_attn_mlp_gate.tanh() * (thought if sees is None else sees * thought)
            else:
                attention = layer.self_attn
                query = _turned(self._split(attention.q_proj(normed)), cos, sin)
                key = _turned(self._split(attention.k_proj(normed)), cos, sin)
                value = self._split(attention.v_proj(normed))
                hidden = hidden + attention.o_proj(own(index, query, key, value).flatten(2))
                hidden = hidden + layer.mlp(_normed(layer.post_attention_layernorm, hidden))
        return hidden

    def _split(self, flat: torch.Tensor) -> torch.Tensor:
        return flat.unflatten(-1, (-1, self._shape.head_size))


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, is_causal: bool = False) -> torch.Tensor:
    """Scaled dot-product attention over (rows, tokens, heads, head size)."""
    drawn = functional.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        is_causal=is_causal,
        enable_gqa=key.shape[2] != query.shape[2],
    )
    return drawn.transpose(1, 2)


def _normed(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
    """The norm's own arithmetic in one kernel instead of six."""
    return functional.rms_norm(hidden, (hidden.shape[-1],), norm.weight, norm.variance_epsilon)


def _turned(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding, halves as in Llama."""
    left, right = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-right, left), dim=-1) * sin
