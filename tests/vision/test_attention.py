"""The attention of one new token: rows of any length, anywhere in a pool."""

import pytest

torch = pytest.importorskip("torch", reason="the vision extra is not installed")

from extractor.readers.vision.attention import attend  # noqa: E402 - not without torch

ROWS = [(0, 5), (7, 130), (150, 1), (3, 64)]
"""First token and length; rows may lie anywhere and even share tokens."""


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))])
def test_each_row_attends_to_its_own_part(device: str) -> None:
    """The same as softmax over exactly the row's keys, worked out one head at a time."""
    torch.manual_seed(0)
    query, keys, values = (torch.randn(size, device=device) for size in [(len(ROWS), 8, 16), (200, 2, 16), (200, 2, 16)])
    start, length = torch.tensor(ROWS, device=device).unbind(1)
    drawn = attend(query, keys, values, start, length)
    for row, (first, size) in enumerate(ROWS):
        for head in range(8):
            own = slice(first, first + size)
            weights = torch.softmax(keys[own, head // 4] @ query[row, head] / 4.0, dim=0)
            torch.testing.assert_close(drawn[row, head], weights @ values[own, head // 4], rtol=1e-4, atol=1e-5)
