"""Encodes images for a Mllama model: pixels are prepared on the CPU; the vision model's features become keys and values in the image pool.

`VisionEncoder` is the whole way from images to the pool; `VisionTransformer` is the model's own part of it.
"""

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

PATCH_MULTIPLE = 8  # the patches of a tile are padded to a multiple of this, as in transformers


@dataclass(frozen=True)
class Pixels:
    """One row's images, cut into tiles.

    Attributes:
        values: (images, max tiles, 3, side, side) in the model's number format; unused tiles are 0.
        ratio_ids: (images, 1): the arrangement of each image's tiles.
        tiles: Used tiles of each image.
    """

    values: torch.Tensor
    ratio_ids: torch.Tensor
    tiles: tuple[int, ...]


class VisionEncoder:
    """Turns images into keys and values in the image pool.

    Args:
        processor: The model's processor.
        prefix: Token ids up to the image token of a single image.
        layers: The text layers, which compute keys and values from the images' features.
    """

    def __init__(self, model: Any, processor: Any, prefix: Sequence[int], layers: TextLayers) -> None:
        self._processor, self._layers = processor, layers
        self._shape = Shape.of(model)
        self._transformer = VisionTransformer(model.model.vision_model)
        self._project = model.model.multi_modal_projector
        self._like = model.model.vision_model.class_embedding  # never quantised
        self._tile_px = model.config.vision_config.image_size
        self._prefix = tuple(prefix)

    def prepare(self, *images: Image.Image) -> Pixels:
        """Scale each image of one row onto its tiles; runs on the CPU, in any thread.

        Raises:
            ValueError: An image has no pixels.
        """
        for image in images:
            if 0 in image.size:
                raise ValueError(f"it is {image.width} x {image.height} pixels")
            log.debug("vision_image", extra={"size": image.size, "scale": round(scale_seen(image.size, tile_px=self._tile_px), 2)})
        ready = self._processor.image_processor(images=[list(images)], return_tensors="pt")
        values = ready["pixel_values"][0].to(self._like.dtype)
        if self._like.is_cuda:
            values = values.pin_memory()  # so that the copy to the GPU does not block
        return Pixels(values, ready["aspect_ratio_ids"][0][:, None], tuple(int(tiles) for tiles in ready["num_tiles"][0]))

    def size(self, pixels: Pixels) -> int:
        """Return the tokens that the row's images take in the pool."""
        return sum(pixels.tiles) * self._shape.tile_tokens

    def encode(self, rows: Sequence[Pixels], spans: Sequence[Span]) -> torch.Tensor:
        """Store the keys and values of each row's images in its span of the pool.

        Only used tiles are stored: tokens after the images attend to no others.

        Args:
            rows: Rows with the same number of images, and of used tiles in each.
        Returns:
            Keys and values of the tokens up to the last image: (rows, text layers, 2, tokens, heads, head size).
        """
        tiles = rows[0].tiles
        prefix = torch.tensor([*self._prefix, *self._prefix[-1:] * (len(tiles) - 1)], device=self._like.device)
        states = [self._states(rows, number) for number in range(len(tiles))]
        return self._layers.prefill_images(prefix, states, spans, [count * self._shape.tile_tokens for count in tiles])

    def _states(self, rows: Sequence[Pixels], number: int) -> torch.Tensor:
        """Return features for the text layers of each row's image of this number, (rows, max tiles times patches, size)."""
        device = self._like.device
        pixels = torch.stack([row.values[number].to(device, non_blocking=True) for row in rows])
        ratios = torch.stack([row.ratio_ids[number] for row in rows]).to(device)
        projected: torch.Tensor = self._project(self._transformer.features(pixels, ratios, rows[0].tiles[number]))
        return projected


class VisionTransformer:
    """The vision model of a Mllama model.

    The same arithmetic as in transformers. Padding is sorted to the end and attends in a call of its own, so that no attention mask is
    needed, which fast kernels do not take: image tokens attend to all tokens, padding to image tokens only.

    Args:
        model: A `MllamaVisionModel`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._tiles: int = model.max_num_tiles
        self._patches: int = model.num_patches
        self._padded: int = -(-self._patches // PATCH_MULTIPLE) * PATCH_MULTIPLE

    def features(self, pixels: torch.Tensor, ratio_ids: torch.Tensor, tiles: int) -> torch.Tensor:
        """Return features of every patch, (images, max tiles times patches, size).

        Args:
            pixels: (images, max tiles, 3, side, side).
            ratio_ids: (images, 1).
            tiles: Used tiles, the same number in every image.
        """
        model = self._model
        order = self._order(tiles, pixels.device)
        used = tiles * self._patches
        hidden = self._embedded(pixels, ratio_ids)[:, order]
        intermediate = []
        for index, layer in enumerate(model.transformer.layers):
            hidden = _layer(layer, hidden, used)
            if index in model.intermediate_layers_indices:
                intermediate.append(hidden)
        restored = order.argsort()
        tiled = model.layernorm_post(hidden)[:, restored].unflatten(1, (self._tiles, self._padded))
        hidden = model.post_tile_positional_embedding(tiled, ratio_ids).flatten(1, 2)[:, order]
        for layer in model.global_transformer.layers:
            hidden = _layer(layer, hidden, used)
        features = torch.cat([hidden, torch.stack(intermediate, dim=-1).flatten(2)], dim=-1)
        return features[:, restored.view(self._tiles, self._padded)[:, : self._patches].flatten()]

    def _order(self, tiles: int, device: torch.device) -> torch.Tensor:
        """Return the positions of all tokens, padding last."""
        position = torch.arange(self._tiles * self._padded, device=device)
        is_padding = (position // self._padded >= tiles) | (position % self._padded >= self._patches)
        return is_padding.to(torch.int64).argsort(stable=True)

    def _embedded(self, pixels: torch.Tensor, ratio_ids: torch.Tensor) -> torch.Tensor:
        """Return embeddings in their original order, (images, max tiles times padded patches, size)."""
        model, images = self._model, len(pixels)
        patches = model.patch_embedding(pixels.flatten(0, 1)).flatten(2).transpose(1, 2)
        patches = model.pre_tile_positional_embedding(patches.unflatten(0, (images, self._tiles)), ratio_ids)
        patches = model.apply_class_embedding(patches.flatten(0, 1)).unflatten(0, (images, self._tiles))
        patches = model.layernorm_pre(model.gated_positional_embedding(patches, ratio_ids))
        return functional.pad(patches, (0, 0, 0, self._padded - self._patches)).flatten(1, 2)


def _layer(layer: Any, hidden: torch.Tensor, used: int) -> torch.Tensor:
    """Run one layer; the first `used` tokens are not padding."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    query, key, value = (
        project(normed).unflatten(2, (-1, attention.head_dim)).transpose(1, 2)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    output = functional.scaled_dot_product_attention(query, key, value)
    output[:, :, used:] = functional.scaled_dot_product_attention(query[:, :, used:], key[:, :, :used], value[:, :, :used])
    output = attention.o_proj(output.transpose(1, 2).flatten(2))
    hidden = hidden + (layer.gate_attn.tanh() * output if layer.is_gated else output)
    output = layer.mlp(layer.post_attention_layernorm(hidden))
    return hidden + (layer.gate_ffn.tanh() * output if layer.is_gated else output)
