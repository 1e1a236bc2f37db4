"""Attention of a few new tokens: rows of any length, anywhere in a pool."""

import pytest

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.vision.attention import Runs, attend  # noqa: E402 - not without torch
from extractor.readers.vision.cuda_graphs import MAX_RUN, ROW_COUNTS, STEP_TOKENS, graph_size  # noqa: E402 - as above

pytestmark = pytest.mark.vision

# First token, length, and new tokens; rows may lie anywhere and even share tokens, and the last idles.
ROWS = [(0, 5, 1), (7, 130, 8), (150, 1, 1), (3, 64, 3), (0, 0, 0)]


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))])
def test_each_query_attends_to_its_rows_own_part(device: str, is_causal: bool) -> None:
    """The same as softmax over exactly the keys that it may attend to, computed one head at a time."""
    torch.manual_seed(0)
    query, keys, values = (torch.randn(size, device=device) for size in [(14, 8, 16), (200, 2, 16), (200, 2, 16)])
    start, length, count = torch.tensor(ROWS, device=device).unbind(1)
    first = count.cumsum(0) - count
    drawn = attend(query, keys, values, Runs(first, count, longest=8), start, length, is_causal=is_causal)
    wrong = []
    for row, (begin, size, new) in enumerate(ROWS):
        for number in range(new):
            own = slice(begin, begin + size - (new - 1 - number if is_causal else 0))
            for head in range(8):
                at = int(first[row]) + number
                weights = torch.softmax(keys[own, head // 4] @ query[at, head] / 4.0, dim=0)
                expected = weights @ values[own, head // 4]
                if not torch.allclose(drawn[at, head], expected, rtol=1e-4, atol=1e-5):
                    wrong.append((row, number, head, float((drawn[at, head] - expected).abs().max())))
    assert not wrong, f"{len(wrong)} of {8 * sum(new for _, _, new in ROWS)} (row, number, head, difference): {wrong}"


def test_a_graph_for_single_tokens_takes_no_row_with_several() -> None:
    """A graph reads as many tokens a row as it was captured for; the idle rows that fill it up must not hide that a row has more."""
    for rows in range(1, ROW_COUNTS[-1] + 1):
        for tokens in range(rows, min(STEP_TOKENS, MAX_RUN * rows) + 1):
            wide, long = graph_size(rows, tokens, max_tokens=STEP_TOKENS)
            assert wide >= rows
            assert tokens <= long <= STEP_TOKENS
            assert (long > wide) == (tokens > rows), (rows, tokens, wide, long)
