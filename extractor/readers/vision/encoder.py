"""Mllama's vision encoder without its mask, which no fast attention kernel takes; the arithmetic is that of transformers' encoder.

Tiles that an image does not use, and the few patches that fill a tile up to a multiple of 8, are padding. The model was trained with a mask
that hides padding from padding, but not from the image. Put the image's tokens first, and that is two attentions without any mask: the
image's tokens attend to all tokens, those of the padding to the image's tokens.
"""

from typing import Any

import torch
from torch.nn import functional

FILL_TO = 8
"""Patches of a tile are padded to a multiple of this."""


class VisionEncoder:
    """The encoder of a Mllama model.

    Args:
        encoder: Its `MllamaVisionModel`.
    """

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self._tiles: int = encoder.max_num_tiles
        self._patches: int = encoder.num_patches
        self._filled = -(-self._patches // FILL_TO) * FILL_TO

    def states(self, pixels: torch.Tensor, ratio_ids: torch.Tensor, tiles: int) -> torch.Tensor:
        """Features of each patch, (images, all tiles times patches, size).

        Args:
            pixels: (images, all tiles, 3, side, side).
            ratio_ids: (images, 1).
            tiles: Tiles in use, the same number in every image.
        """
        encoder = self._encoder
        order = self._order(tiles, pixels.device)
        seen = tiles * self._patches
        hidden = self._embedded(pixels, ratio_ids)[:, order]
        between = []
        for index, layer in enumerate(encoder.transformer.layers):
            hidden = _through(layer, hidden, seen)
            if index in encoder.intermediate_layers_indices:
                between.append(hidden)
        back = order.argsort()
        tiled = encoder.layernorm_post(hidden)[:, back].unflatten(1, (self._tiles, self._filled))
        hidden = encoder.post_tile_positional_embedding(tiled, ratio_ids).flatten(1, 2)[:, order]
        for layer in encoder.global_transformer.layers:
            hidden = _through(layer, hidden, seen)
        features = torch.cat([hidden, torch.stack(between, dim=-1).flatten(2)], dim=-1)
        return features[:, back.view(self._tiles, self._filled)[:, : self._patches].flatten()]

    def _order(self, tiles: int, device: torch.device) -> torch.Tensor:
        """Positions of all tokens, those of the image first."""
        position = torch.arange(self._tiles * self._filled, device=device)
        is_padding = (position // self._filled >= tiles) | (position % self._filled >= self._patches)
        return is_padding.to(torch.int64).argsort(stable=True)

    def _embedded(self, pixels: torch.Tensor, ratio_ids: torch.Tensor) -> torch.Tensor:
        """Tokens in their original order, (images, all tiles times filled patches, size)."""
        encoder, images = self._encoder, len(pixels)
        patches = encoder.patch_embedding(pixels.flatten(0, 1)).flatten(2).transpose(1, 2)
        patches = encoder.pre_tile_positional_embedding(patches.unflatten(0, (images, self._tiles)), ratio_ids)
        patches = encoder.apply_class_embedding(patches.flatten(0, 1)).unflatten(0, (images, self._tiles))
        patches = encoder.layernorm_pre(encoder.gated_positional_embedding(patches, ratio_ids))
        return functional.pad(patches, (0, 0, 0, self._filled - self._patches)).flatten(1, 2)


def _through(layer: Any, hidden: torch.Tensor, seen: int) -> torch.Tensor:
    """One layer; the first `seen` tokens are the image's."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    query, key, value = (
        project(normed).unflatten(2, (-1, attention.head_dim)).transpose(1, 2)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    drawn = functional.scaled_dot_product_attention(query, key, value)
    drawn[:, :, seen:] = functional.scaled_dot_product_attention(query[:, :, seen:], key[:, :, :seen], value[:, :, :seen])
    drawn = attention.o_proj(drawn.transpose(1, 2).flatten(2))
    hidden = hidden + (layer.gate_attn.tanh() * drawn if layer.is_gated else drawn)
    thought = layer.mlp(layer.post_attention_layernorm(hidden))
    return hidden + (layer.gate_ffn.tanh() * thought if layer.is_gated else thought)
