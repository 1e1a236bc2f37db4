"""Images before a Mllama model: pixels are prepared on the CPU, the vision tower turns them into keys that stay."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from transformers import DynamicCache

from extractor.readers.vision.encoder import VisionEncoder
from extractor.readers.vision.images import scale_seen
from extractor.readers.vision.layers import Shape
from extractor.readers.vision.memory import Pool, Span

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pixels:
    """One image cut into tiles.

    Attributes:
        values: (1, most tiles, 3, side, side) in the model's number format; tiles that are not in use are 0.
        ratio_id: (1, 1): how its tiles are laid out.
        tiles: Tiles in use.
    """

    values: torch.Tensor
    ratio_id: torch.Tensor
    tiles: int


class Tower:
    """The vision half of a Mllama model.

    Args:
        processor: The model's processor.
        prefix: Token ids up to the image token.
        pool: Takes the image's keys and values.
    """

    def __init__(self, model: Any, processor: Any, prefix: Sequence[int], pool: Pool) -> None:
        self._model, self._processor, self._pool = model, processor, pool
        self._shape = Shape.of(model)
        self._encoder = VisionEncoder(model.model.vision_model)
        self._like = model.model.vision_model.class_embedding  # never quantised
        self._tile_px = model.config.vision_config.image_size
        self._prefix = torch.tensor([list(prefix)], device=model.device)

    def prepare(self, image: Image.Image) -> Pixels:
        """The image scaled onto at most four tiles; runs on the CPU, in any thread.

        Raises:
            ValueError: It has no pixels.
        """
        if 0 in image.size:
            raise ValueError(f"it is {image.width} x {image.height} pixels")
        log.debug("vision_image", extra={"size": image.size, "scale": round(scale_seen(image.size, tile_px=self._tile_px), 2)})
        ready = self._processor.image_processor(images=[[image]], return_tensors="pt")
        values = ready["pixel_values"][:, 0].to(self._like.dtype)
        if self._like.is_cuda:
            values = values.pin_memory()  # so that the copy to the GPU holds nobody up
        return Pixels(values, ready["aspect_ratio_ids"], int(ready["num_tiles"][0][0]))

    def size(self, pixels: Pixels) -> int:
        """Tokens that the image takes in the pool."""
        return pixels.tiles * self._shape.tile_tokens

    def look(self, pictures: Sequence[Pixels], spans: Sequence[Span]) -> torch.Tensor:
        """Stores each image's keys in its span of the pool.

        Only the tiles in use are stored: tokens after the image see no others.

        Args:
            pictures: Images with the same number of tiles in use.
        Returns:
            What the tokens up to the image leave behind: (images, text layers, 2, tokens, heads, head size), keys and values.
        """
        images, device = len(pictures), self._model.device
        sees = torch.zeros(images, self._prefix.shape[1], 1, self._shape.max_tiles, dtype=torch.int64, device=device)
        for index, pixels in enumerate(pictures):
            sees[index, -1, 0, : pixels.tiles] = 1  # of the prefix only the image token itself sees the image
        cache = DynamicCache()
        self._model.model(
            input_ids=self._prefix.expand(images, -1),
            attention_mask=torch.ones(images, self._prefix.shape[1], dtype=torch.int64, device=device),
            cross_attention_states=self._states(pictures),
            cross_attention_mask=sees,
            past_key_values=cache,
            use_cache=True,
        )
        for layer in self._shape.image_layers:
            keys, values = cache.layers[layer].keys.transpose(1, 2), cache.layers[layer].values.transpose(1, 2)
            for index, span in enumerate(spans):
                self._pool.write(layer, span.start, keys[index, : span.size], values[index, : span.size])
        kept = [torch.stack([cache.layers[layer].keys, cache.layers[layer].values], dim=1) for layer in self._shape.text_layers]
        return torch.stack(kept, dim=1).transpose(3, 4)

    def _states(self, pictures: Sequence[Pixels]) -> torch.Tensor:
        """What the text layers see of each image, (images, most tiles times patches, size)."""
        device = self._like.device
        pixels = torch.cat([picture.values.to(device, non_blocking=True) for picture in pictures])
        ratios = torch.cat([picture.ratio_id for picture in pictures]).to(device)
        projected: torch.Tensor = self._model.model.multi_modal_projector(self._encoder.states(pixels, ratios, pictures[0].tiles))
        return projected
