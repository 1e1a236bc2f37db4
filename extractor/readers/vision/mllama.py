"""Puts the rooms together for Llama 3.2 Vision: pools sized by free memory, and one engine on top of them."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from extractor.errors import ReaderUnavailable
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_shortage, out_of_memory
from extractor.readers.vision.chat_template import Prompter
from extractor.readers.vision.cuda_graphs import EagerSteps, GraphSteps, Steps
from extractor.readers.vision.decoding import Decoder
from extractor.readers.vision.grammar import Grammars
from extractor.readers.vision.image_cache import ImageCache
from extractor.readers.vision.kv_pools import KvPool
from extractor.readers.vision.layers import Shape, TextLayers
from extractor.readers.vision.loading import LoadedModel
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.scheduler import MllamaScheduler, Speech
from extractor.readers.vision.vision_encoder import Tower
from extractor.readers.vision.weight_selection import GIB

log = logging.getLogger(__name__)

QUESTION_TOKENS = 1200
"""Room for a question beside its answer: the first question about a receipt has about 900 tokens (Llama 3's tokenizer)."""

IMAGE_BYTES = int(0.7 * GIB)
"""What the vision tower takes for one image while it looks at it (0.6 GiB measured)."""

IMAGES_TOGETHER = 2
"""Images of one row at most: a page, and a part of it enlarged."""

SPARE_BYTES = GIB
"""Graphs, logits, the allocator's loss."""

MAX_CHUNK = 8
"""Images looked at together; more fill an H100 no better."""

HANDS = 8
"""Threads that prepare images: 0.1 s of CPU time each."""

SCRIBES = 4
"""Threads that compile grammars, apart from those above so that a queue of images does not hold up questions: 6 ms each."""


@dataclass(frozen=True)
class Budget:
    """How memory is shared out.

    Attributes:
        rows: Receipts that answer side by side.
        chunk: Images looked at together.
        text_tokens: Size of the text pool.
        image_tokens: Size of the image pool.
    """

    rows: int
    chunk: int
    text_tokens: int
    image_tokens: int


def share_out(shape: Shape, dtype: torch.dtype, free_bytes: int | None, options: VisionOptions) -> Budget:
    """The largest batch that fits into `free_bytes` (`None` for no limit), up to `options.max_rows`.

    Raises:
        ReaderUnavailable: Not even one receipt fits.
    """
    text_row = QUESTION_TOKENS + options.max_tokens
    image_row = shape.max_tiles * shape.tile_tokens
    row_bytes = text_row * KvPool.token_bytes(len(shape.text_layers), heads=shape.heads, head_size=shape.head_size, dtype=dtype)
    image_bytes = image_row * KvPool.token_bytes(len(shape.image_layers), heads=shape.heads, head_size=shape.head_size, dtype=dtype)
    row_bytes += image_bytes
    beside = (IMAGES_TOGETHER - 1) * image_bytes  # rows share it: those that are shown several images take turns
    rows, chunk = options.max_rows, MAX_CHUNK
    if free_bytes is not None:
        chunk = max(1, min(MAX_CHUNK, free_bytes // 8 // IMAGE_BYTES))
        rows = min(rows, (free_bytes - SPARE_BYTES - chunk * IMAGE_BYTES - beside) // row_bytes)
    if rows < 1:
        raise ReaderUnavailable(
            f"One receipt takes {(row_bytes + beside + IMAGE_BYTES + SPARE_BYTES) / GIB:.1f} GiB of GPU memory beside the model; "
            f"{(free_bytes or 0) / GIB:.1f} GiB are free. Set a smaller max_tokens or model, or close other programs on the GPU."
        )
    return Budget(rows, chunk, 1 + rows * text_row, (rows + IMAGES_TOGETHER - 1) * image_row)


def free_memory(options: VisionOptions) -> int | None:
    """Bytes of GPU memory that may still be used, or `None` on a CPU."""
    if not torch.cuda.is_available() or options.device == "cpu":
        return None
    torch.cuda.empty_cache()
    free: int = torch.cuda.mem_get_info()[0]
    if options.memory_bytes is not None:
        free = min(free, options.memory_bytes - torch.cuda.memory_allocated())
    return free


class MllamaEngine:
    """Llama 3.2 Vision with steps of its own; see `Engine`.

    Attributes:
        budget: How memory is shared out.
        tower: What looks at images.
        speech: What turns questions into answers.
        steps: What answers are spoken with.
        ends: Tokens that end an answer.
    """

    def __init__(self, loaded: LoadedModel, options: VisionOptions) -> None:
        model, shape, self.ends = loaded.model, Shape.of(loaded.model), loaded.ends
        like = model.model.language_model.norm.weight
        self.budget = share_out(shape, like.dtype, free_memory(options), options)
        log.info("vision_budget", extra={"rows": self.budget.rows, "chunk": self.budget.chunk})
        texts = self._pool(shape.text_layers, self.budget.text_tokens, shape, like)
        texts.spans.take(1)  # what belongs to no row is written to token 0
        images = self._pool(shape.image_layers, self.budget.image_tokens, shape, like)
        layers = TextLayers(model, texts, images)
        make_steps = GraphSteps if like.is_cuda else EagerSteps
        self.steps: Steps = make_steps(layers, self.budget.rows, like=like)
        prompter, grammars = Prompter(loaded.processor), Grammars(loaded.processor.tokenizer, loaded.ends)
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="vision-pixels")
        scribes = ThreadPoolExecutor(SCRIBES, thread_name_prefix="vision-grammars")
        self.speech = Speech(layers, Decoder(self.steps, grammars, loaded.ends, on_cuda=like.is_cuda), prompter, grammars, texts, scribes)
        self.tower = Tower(model, loaded.processor, prompter.prompt(("",)).prefix, layers)
        self._texts, self._images, self._chunk = texts, images, BatchSizeLimit(self.budget.chunk, "images")

    def open(self) -> MllamaScheduler:
        return MllamaScheduler(ImageCache(self.tower, self._images, self._hands, chunk=self._chunk), self.speech)

    @property
    def text_tokens_free(self) -> int:
        """Tokens of the text pool that nobody uses."""
        return self._texts.spans.free

    @property
    def image_tokens_free(self) -> int:
        """Tokens of the image pool that no image takes."""
        return self._images.spans.free

    @staticmethod
    def _pool(layers: tuple[int, ...], size: int, shape: Shape, like: torch.Tensor) -> KvPool:
        try:
            return KvPool(list(layers), size, heads=shape.heads, head_size=shape.head_size, like=like)
        except RuntimeError as error:  # somebody else has taken what was free when memory was shared out
            if not is_shortage(error):
                raise
            raise out_of_memory(error) from error
