"""Images before a Mllama model: pixels are prepared on the CPU, the vision tower turns them into keys that stay."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch.nn import functional

from extractor.readers.vision.kv_pools import Span
from extractor.readers.vision.layers import Shape, TextLayers
from extractor.readers.vision.views import scale_seen

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pixels:
    """One row's images cut into tiles.

    Attributes:
        values: (images, most tiles, 3, side, side) in the model's number format; tiles that are not in use are 0.
        ratio_ids: (images, 1): how the tiles of each are laid out.
        tiles: Tiles in use, by image.
    """

    values: torch.Tensor
    ratio_ids: torch.Tensor
    tiles: tuple[int, ...]


class Tower:
    """The vision half of a Mllama model.

    Args:
        processor: The model's processor.
        prefix: Token ids up to the image token of a single image.
        layers: Take the images' features.
    """

    def __init__(self, model: Any, processor: Any, prefix: Sequence[int], layers: TextLayers) -> None:
        self._processor, self._layers = processor, layers
        self._shape = Shape.of(model)
        self._encoder = VisionEncoder(model.model.vision_model)
        self._project = model.model.multi_modal_projector
        self._like = model.model.vision_model.class_embedding  # never quantised
        self._tile_px = model.config.vision_config.image_size
        self._prefix = tuple(prefix)

    def prepare(self, *images: Image.Image) -> Pixels:
        """The images of one row, each scaled onto at most four tiles; runs on the CPU, in any thread.

        Raises:
            ValueError: One has no pixels.
        """
        for image in images:
            if 0 in image.size:
                raise ValueError(f"it is {image.width} x {image.height} pixels")
            log.debug("vision_image", extra={"size": image.size, "scale": round(scale_seen(image.size, tile_px=self._tile_px), 2)})
        ready = self._processor.image_processor(images=[list(images)], return_tensors="pt")
        values = ready["pixel_values"][0].to(self._like.dtype)
        if self._like.is_cuda:
            values = values.pin_memory()  # so that the copy to the GPU holds nobody up
        return Pixels(values, ready["aspect_ratio_ids"][0][:, None], tuple(int(tiles) for tiles in ready["num_tiles"][0]))

    def size(self, pixels: Pixels) -> int:
        """Tokens that the row's images take in the pool."""
        return sum(pixels.tiles) * self._shape.tile_tokens

    def look(self, pictures: Sequence[Pixels], spans: Sequence[Span]) -> torch.Tensor:
        """Stores each row's image keys in its span of the pool.

        Only the tiles in use are stored: tokens after the images see no others.

        Args:
            pictures: Rows with as many images as one another, and the same numbers of tiles in use.
        Returns:
            What the tokens up to the last image leave behind: (rows, text layers, 2, tokens, heads, head size), keys and values.
        """
        tiles = pictures[0].tiles
        prefix = torch.tensor([*self._prefix, *self._prefix[-1:] * (len(tiles) - 1)], device=self._like.device)
        states = [self._states(pictures, number) for number in range(len(tiles))]
        return self._layers.show(prefix, states, spans, [count * self._shape.tile_tokens for count in tiles])

    def _states(self, pictures: Sequence[Pixels], number: int) -> torch.Tensor:
        """What the text layers see of each row's image of that number, (rows, most tiles times patches, size)."""
        device = self._like.device
        pixels = torch.stack([picture.values[number].to(device, non_blocking=True) for picture in pictures])
        ratios = torch.stack([picture.ratio_ids[number] for picture in pictures]).to(device)
        projected: torch.Tensor = self._project(self._encoder.states(pixels, ratios, pictures[0].tiles[number]))
        return projected


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
