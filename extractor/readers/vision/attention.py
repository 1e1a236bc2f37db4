"""Attention of a few new tokens per row to that row's part of a pool: a Triton kernel on CUDA, plain torch elsewhere.

Rows may have any length and need no mask, so receipts of one and of four tiles are answered side by side. With a few tokens per row,
attention is bound by memory: the kernel reads each key and value once for all queries of a row that share it, and splits long rows over
the processors.
"""

import math
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch.nn import functional

# Keys that one program of the kernel loads at a time.
BLOCK = 64

# Rows of the smallest matrix that tensor cores multiply; groups of queries are padded to it.
MIN_GROUP = 16

# Minimum number of programs: about four for each of an H100's 132 processors (512 to 4096 were tried, with 1 to 64 rows).
TARGET_PROGRAMS = 512

MAX_SPLITS = 64


@dataclass(frozen=True)
class Runs:
    """The queries of each row: a run of consecutive new tokens.

    Attributes:
        first: (rows), int64: the row's first query.
        count: (rows), int64: number of its queries; 0 for an idle row. The output for queries that belong to no row is undefined.
        longest: Upper bound of `count`.
    """

    first: torch.Tensor
    count: torch.Tensor
    longest: int


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    runs: Runs,
    start: torch.Tensor,
    length: torch.Tensor,
    *,
    is_causal: bool,
) -> torch.Tensor:
    """Return the attention output of each query over its row's part of a pool.

    Args:
        query: (queries, query heads, head size).
        keys: (tokens, heads, head size), contiguous; query heads are a multiple of heads.
        values: As `keys`.
        start: (rows), int64: the first token of each row.
        length: (rows), int64: tokens of each row, at least as many as it has queries.
        is_causal: The keys of a run's own tokens are the last of its row, and each query attends to none after its own.
    Returns:
        (queries, query heads, head size).
    """
    if query.is_cuda:
        return _attend_triton(query, keys, values, runs, start, length, is_causal=is_causal)
    return _attend_torch(query, keys, values, runs, start, length, is_causal=is_causal)


def _attend_torch(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    runs: Runs,
    start: torch.Tensor,
    length: torch.Tensor,
    *,
    is_causal: bool,
) -> torch.Tensor:
    in_run = torch.arange(runs.longest, device=query.device)
    is_query = in_run < runs.count[:, None]
    queries = torch.where(is_query, runs.first[:, None] + in_run, 0)
    offsets = torch.arange(int(length.max()), device=query.device)
    tokens = torch.where(offsets < length[:, None], start[:, None] + offsets, start[:, None])
    last = length[:, None] - runs.count[:, None] + in_run if is_causal else (length[:, None] - 1).expand_as(queries)
    output = functional.scaled_dot_product_attention(
        query[queries].transpose(1, 2),
        keys[tokens].transpose(1, 2),
        values[tokens].transpose(1, 2),
        attn_mask=(offsets <= last[..., None])[:, None],
        enable_gqa=True,
    )
    result = torch.zeros_like(query)
    result[queries[is_query]] = output.transpose(1, 2)[is_query]
    return result


def _splits(programs: int) -> int:
    """Return the number of parts that each row's keys are split into, a power of two, so that few rows use all processors, too."""
    wanted = max(1, min(MAX_SPLITS, TARGET_PROGRAMS // programs))
    return 1 << (wanted.bit_length() - 1)


@cache
def _kernels() -> tuple[ModuleType, Any, Any]:
    """Triton's utilities and the two compiled kernels. Triton comes with every CUDA build of torch for Linux."""
    import triton  # noqa: PLC0415 - only where there is CUDA

    from extractor.readers.vision import attention_kernels  # noqa: PLC0415 - as above

    return triton, triton.jit(attention_kernels.partial), triton.jit(attention_kernels.merge_splits)


def _attend_triton(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    runs: Runs,
    start: torch.Tensor,
    length: torch.Tensor,
    *,
    is_causal: bool,
) -> torch.Tensor:
    triton, partial, merge_splits = _kernels()
    queries, query_heads, head_size = query.shape
    rows, heads = len(start), keys.shape[1]
    group = query_heads // heads
    splits = _splits(rows * heads)
    query = query.contiguous()
    # The kernel needs contiguous tensors; this copies nothing if they are.
    first, count, start, length = (part.contiguous() for part in (runs.first, runs.count, start, length))
    output = torch.empty(queries, query_heads, splits, head_size, dtype=torch.float32, device=query.device)
    weight = torch.empty(queries, query_heads, splits, dtype=torch.float32, device=query.device)
    partial[(rows, heads, splits)](
        query, keys, values, first, count, start, length, output, weight, 1 / math.sqrt(head_size),
        HEADS=heads, GROUP=group, PADDED=max(MIN_GROUP, triton.next_power_of_2(group * runs.longest)), SIZE=head_size, BLOCK=BLOCK,
        SPLITS=splits, CAUSAL=is_causal, num_warps=4, num_stages=2,
    )  # fmt: skip
    if splits == 1:
        return output[:, :, 0].to(query.dtype)
    result = torch.empty_like(query)
    merge_splits[(queries * query_heads,)](output, weight, result, SIZE=head_size, SPLITS=splits, num_warps=4)
    return result
