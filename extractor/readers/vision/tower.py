"""Images before a Mllama model: pixels are prepared on the CPU, the vision tower turns them into keys that stay."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from extractor.readers.vision.encoder import VisionEncoder
from extractor.readers.vision.images import scale_seen
from extractor.readers.vision.layers import Shape, TextLayers
from extractor.readers.vision.memory import Span

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
