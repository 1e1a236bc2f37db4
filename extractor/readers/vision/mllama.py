"""Assembles the engine for Llama 3.2 Vision (Mllama): sizes the pools by free memory and connects all parts."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from extractor.errors import ReaderUnavailable
from extractor.readers.vision.adaptive_batch import BatchSizeLimit, is_out_of_memory, out_of_memory_error
from extractor.readers.vision.chat_template import Prompter
from extractor.readers.vision.cuda_graphs import EagerRunner, GraphRunner, StepRunner
from extractor.readers.vision.decoding import Decoder
from extractor.readers.vision.grammar import Grammars
from extractor.readers.vision.image_cache import ImageCache
from extractor.readers.vision.kv_pools import KvPool
from extractor.readers.vision.layers import Shape, TextLayers
from extractor.readers.vision.model_loading import LoadedModel
from extractor.readers.vision.model_options import VisionOptions
from extractor.readers.vision.scheduler import MllamaScheduler, TextGeneration
from extractor.readers.vision.vision_encoder import VisionEncoder
from extractor.readers.vision.weight_selection import GIB

log = logging.getLogger(__name__)

QUESTION_TOKENS = 1200  # maximum length of a question: the first one about a receipt has about 900 tokens (Llama 3's tokenizer)
IMAGE_BYTES = int(0.7 * GIB)  # what encoding one image takes (0.6 GiB measured)
MAX_ROW_IMAGES = 2  # images of one row: a page, and a part of it enlarged
SPARE_BYTES = GIB  # graphs, logits, fragmentation
MAX_CHUNK = 8  # images encoded at once; more use an H100 no better
PIXEL_THREADS = 8  # prepare images, 0.1 s of CPU time each
GRAMMAR_THREADS = 4  # compile grammars, 6 ms each; apart from the above, so that a queue of images does not hold up questions


@dataclass(frozen=True)
class Budget:
    """How memory is divided.

    Attributes:
        rows: Receipts that are answered side by side.
        chunk: Images that are encoded at once.
        text_tokens: Size of the text pool.
        image_tokens: Size of the image pool.
    """

    rows: int
    chunk: int
    text_tokens: int
    image_tokens: int


def plan_memory(shape: Shape, dtype: torch.dtype, free_bytes: int | None, options: VisionOptions) -> Budget:
    """Return the largest batch that fits into `free_bytes` (`None` for no limit), up to `options.max_rows`.

    Raises:
        ReaderUnavailable: Not even one receipt fits.
    """
    text_row = QUESTION_TOKENS + options.max_tokens
    image_row = shape.max_tiles * shape.tile_tokens
    row_bytes = text_row * KvPool.token_bytes(len(shape.text_layers), heads=shape.heads, head_size=shape.head_size, dtype=dtype)
    image_bytes = image_row * KvPool.token_bytes(len(shape.image_layers), heads=shape.heads, head_size=shape.head_size, dtype=dtype)
    row_bytes += image_bytes
    extra_bytes = (MAX_ROW_IMAGES - 1) * image_bytes  # shared: rows with several images take turns
    rows, chunk = options.max_rows, MAX_CHUNK
    if free_bytes is not None:
        chunk = max(1, min(MAX_CHUNK, free_bytes // 8 // IMAGE_BYTES))
        rows = min(rows, (free_bytes - SPARE_BYTES - chunk * IMAGE_BYTES - extra_bytes) // row_bytes)
    if rows < 1:
        raise ReaderUnavailable(
            f"One receipt takes {(row_bytes + extra_bytes + IMAGE_BYTES + SPARE_BYTES) / GIB:.1f} GiB of GPU memory beside the model; "
            f"{(free_bytes or 0) / GIB:.1f} GiB are free. Set a smaller max_tokens or model, or close other programs on the GPU."
        )
    return Budget(rows, chunk, 1 + rows * text_row, (rows + MAX_ROW_IMAGES - 1) * image_row)


def free_memory(options: VisionOptions) -> int | None:
    """Return the bytes of GPU memory that may still be used, or `None` on a CPU."""
    if not torch.cuda.is_available() or options.device == "cpu":
        return None
    torch.cuda.empty_cache()
    free: int = torch.cuda.mem_get_info()[0]
    if options.memory_bytes is not None:
        free = min(free, options.memory_bytes - torch.cuda.memory_allocated())
    return free


class MllamaEngine:
    """Llama 3.2 Vision with its own decoding loop; see `Engine`.

    Attributes:
        budget: How memory is divided.
        encoder: Encodes images.
        generation: Turns questions into answers.
        step_runner: Runs decoding steps.
        ends: Tokens that end an answer.
    """

    def __init__(self, loaded: LoadedModel, options: VisionOptions) -> None:
        model, shape, self.ends = loaded.model, Shape.of(loaded.model), loaded.ends
        like = model.model.language_model.norm.weight
        self.budget = plan_memory(shape, like.dtype, free_memory(options), options)
        log.info("vision_budget", extra={"rows": self.budget.rows, "chunk": self.budget.chunk})
        self._text_pool = self._pool(shape.text_layers, self.budget.text_tokens, shape, like)
        self._text_pool.spans.allocate(1)  # token 0 takes what belongs to no row
        self._image_pool = self._pool(shape.image_layers, self.budget.image_tokens, shape, like)
        layers = TextLayers(model, self._text_pool, self._image_pool)
        make_runner = GraphRunner if like.is_cuda else EagerRunner
        self.step_runner: StepRunner = make_runner(layers, self.budget.rows, like=like)
        prompter, grammars = Prompter(loaded.processor), Grammars(loaded.processor.tokenizer, loaded.ends)
        self._pixel_threads = ThreadPoolExecutor(PIXEL_THREADS, thread_name_prefix="vision-pixels")
        grammar_threads = ThreadPoolExecutor(GRAMMAR_THREADS, thread_name_prefix="vision-grammars")
        decoder = Decoder(self.step_runner, grammars, loaded.ends, on_cuda=like.is_cuda)
        self.generation = TextGeneration(layers, decoder, prompter, grammars, self._text_pool, grammar_threads)
        self.encoder = VisionEncoder(model, loaded.processor, prompter.prompt(("",)).prefix, layers)
        self._image_limit = BatchSizeLimit(self.budget.chunk, "images")

    def open(self) -> MllamaScheduler:
        image_cache = ImageCache(self.encoder, self._image_pool, self._pixel_threads, image_limit=self._image_limit)
        return MllamaScheduler(image_cache, self.generation)

    @property
    def text_tokens_free(self) -> int:
        """Free tokens of the text pool."""
        return self._text_pool.spans.free

    @property
    def image_tokens_free(self) -> int:
        """Free tokens of the image pool."""
        return self._image_pool.spans.free

    @staticmethod
    def _pool(layers: tuple[int, ...], size: int, shape: Shape, like: torch.Tensor) -> KvPool:
        try:
            return KvPool(list(layers), size, heads=shape.heads, head_size=shape.head_size, like=like)
        except RuntimeError as error:  # another program has taken memory since it was measured
            if not is_out_of_memory(error):
                raise
            raise out_of_memory_error(error) from error
