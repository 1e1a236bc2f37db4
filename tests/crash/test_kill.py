"""SIGKILL: no dropped file is lost and none is filed twice."""

from pathlib import Path

import pytest

from extractor.runtime.checkpoints import Checkpoint
from tests.crash.process_kills import KillPoint, kill_at, kill_often

SEED = 20260314


@pytest.mark.parametrize("step", Checkpoint)
def test_a_kill_at_any_step_loses_nothing(quick_folder: Path, step: Checkpoint) -> None:
    """Every checkpoint is reached, and after a kill there the next service finishes the work exactly once."""
    assert kill_at(quick_folder, SEED, KillPoint(step)) == []


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_every_file_is_filed_exactly_once_however_often_the_service_is_killed(quick_folder: Path, seed: int) -> None:
    """Files arrive singly, twice, in halves and in subfolders, and are replaced, removed and retried while the service is killed."""
    wrong, kills = kill_often(quick_folder, seed, times=8)
    assert wrong == []
    assert sum(kills.values()) == 8
