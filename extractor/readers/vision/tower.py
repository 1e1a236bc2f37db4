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
        layers: Take the images' features.
    """

    def __init__(self, model: Any, processor: Any, prefix: Sequence[int], layers: TextLayers) -> None:
        self._processor, self._layers = processor, layers
        self._shape = Shape.of(model)
        self._encoder = VisionEncoder(model.model.vision_model)
        self._project = model.model.multi_modal_projector
        self._like = model.model.vision_model.class_embedding  # never quantised
        self._tile_px = model.config.vision_config.image_size
        self._prefix = torch.tensor(list(prefix), device=model.device)

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
        return self._layers.show(self._prefix, self._states(pictures), spans)

    def _states(self, pictures: Sequence[Pixels]) -> torch.Tensor:
        """What the text layers see of each image, (images, most tiles times patches, size)."""
        device = self._like.device
        pixels = torch.cat([picture.values.to(device, non_blocking=True) for picture in pictures])
        ratios = torch.cat([picture.ratio_id for picture in pictures]).to(device)
        projected: torch.Tensor = self._project(self._encoder.states(pixels, ratios, pictures[0].tiles))
        return projected
