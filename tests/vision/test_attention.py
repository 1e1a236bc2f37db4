"""The attention of a few new tokens: rows of any length, anywhere in a pool."""

import pytest

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.vision.attention import Runs, attend  # noqa: E402 - not without torch

ROWS = [(0, 5, 1), (7, 130, 8), (150, 1, 1), (3, 64, 3), (0, 0, 0)]
"""First token, length, and new tokens; rows may lie anywhere and even share tokens, and the last idles."""


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))])
def test_each_query_attends_to_its_rows_own_part(device: str, is_causal: bool) -> None:
    """The same as softmax over exactly the keys that it may see, worked out one head at a time."""
    torch.manual_seed(0)
    query, keys, values = (torch.randn(size, device=device) for size in [(14, 8, 16), (200, 2, 16), (200, 2, 16)])
    start, length, count = torch.tensor(ROWS, device=device).unbind(1)
    first = count.cumsum(0) - count
    drawn = attend(query, keys, values, Runs(first, count, most=8), start, length, is_causal=is_causal)
    for row, (begin, size, new) in enumerate(ROWS):
        for number in range(new):
            own = slice(begin, begin + size - (new - 1 - number if is_causal else 0))
            for head in range(8):
                at = int(first[row]) + number
                weights = torch.softmax(keys[own, head // 4] @ query[at, head] / 4.0, dim=0)
                torch.testing.assert_close(drawn[at, head], weights @ values[own, head // 4], rtol=1e-4, atol=1e-5)
