"""The Triton kernels of `attention.attend`; see there for shapes. Imported only where Triton is installed."""

import triton.language as tl


def partial(  # noqa: PLR0913, PLR0917 - a kernel has no objects to pass
    query: tl.tensor,
    keys: tl.tensor,
    values: tl.tensor,
    first: tl.tensor,
    count: tl.tensor,
    start: tl.tensor,
    length: tl.tensor,
    output: tl.tensor,
    weight: tl.tensor,
    scale: tl.tensor,
    HEADS: tl.constexpr,  # noqa: N803 - constants of a kernel are written like this
    GROUP: tl.constexpr,  # noqa: N803
    PADDED: tl.constexpr,  # noqa: N803
    SIZE: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
    SPLITS: tl.constexpr,  # noqa: N803
    CAUSAL: tl.constexpr,  # noqa: N803
) -> None:
    """Compute one row, key head and split of its keys: the softmax-weighted values, and the logarithm of the sum of the weights.

    The queries are those of the row's new tokens, times the query heads that share the key head.
    """
    row = tl.program_id(0)
    head = tl.program_id(1)
    split = tl.program_id(2)
    begin = tl.load(start + row)
    tokens = tl.load(length + row).to(tl.int32)
    run = tl.load(count + row).to(tl.int32)
    share = tl.cdiv(tl.cdiv(tokens, SPLITS), BLOCK) * BLOCK
    low = split * share
    high = tl.minimum(low + share, tokens)

    in_group = tl.arange(0, PADDED)
    in_head = tl.arange(0, SIZE)
    in_run = in_group // GROUP
    is_query = in_run < run
    query_row = (tl.load(first + row) + in_run) * HEADS * GROUP + head * GROUP + in_group % GROUP
    visible = tokens - run + 1 + in_run if CAUSAL else tokens + 0 * in_run
    q = tl.load(query + query_row[:, None] * SIZE + in_head[None, :], mask=is_query[:, None], other=0.0)

    highest = tl.full([PADDED], float("-inf"), tl.float32)
    total = tl.zeros([PADDED], tl.float32)
    sums = tl.zeros([PADDED, SIZE], tl.float32)
    for at in range(low, high, BLOCK):
        token = at + tl.arange(0, BLOCK)
        is_token = token < high
        address = ((begin + token) * HEADS + head) * SIZE
        key = tl.load(keys + address[None, :] + in_head[:, None], mask=is_token[None, :], other=0.0)
        score = tl.dot(q, key, input_precision="ieee") * scale
        score = tl.where(is_token[None, :] & (token[None, :] < visible[:, None]), score, float("-inf"))
        new_highest = tl.maximum(highest, tl.max(score, 1))
        level = tl.where(new_highest == float("-inf"), 0.0, new_highest)  # a query without a visible key so far
        decay = tl.exp(highest - level)
        weights = tl.exp(score - level[:, None])
        value = tl.load(values + address[:, None] + in_head[None, :], mask=is_token[:, None], other=0.0)
        total = total * decay + tl.sum(weights, 1)
        sums = sums * decay[:, None] + tl.dot(weights.to(value.dtype), value, input_precision="ieee")
        highest = new_highest

    # A split beyond the row's end has no keys: its weight is minus infinity, so that it does not count when the splits are merged.
    filled = tl.where(total > 0, total, 1.0)
    place = query_row * SPLITS + split
    tl.store(output + place[:, None] * SIZE + in_head[None, :], sums / filled[:, None], mask=is_query[:, None])
    tl.store(weight + place, tl.where(total > 0, highest + tl.log(filled), float("-inf")), mask=is_query)


def merge_splits(output: tl.tensor, weight: tl.tensor, result: tl.tensor, SIZE: tl.constexpr, SPLITS: tl.constexpr) -> None:  # noqa: N803
    """Merge the splits of one query, weighted."""
    query = tl.program_id(0)
    split = tl.arange(0, SPLITS)
    in_head = tl.arange(0, SIZE)
    logs = tl.load(weight + query * SPLITS + split)
    shares = tl.exp(logs - tl.max(logs, 0))
    parts = tl.load(output + (query * SPLITS + split)[:, None] * SIZE + in_head[None, :])
    value = tl.sum(parts * shares[:, None], 0) / tl.sum(shares, 0)
    tl.store(result + query * SIZE + in_head, value)
