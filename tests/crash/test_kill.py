"""The first promise under SIGKILL: nothing dropped is ever lost, nothing is filed twice."""

from pathlib import Path

import pytest

from extractor.runtime.checkpoints import Checkpoint
from tests.crash.killing import Death, kill_at, kill_often

SEED = 20260314


@pytest.mark.parametrize("step", Checkpoint)
def test_a_kill_at_any_step_loses_nothing(quick_folder: Path, step: Checkpoint) -> None:
    """Each step with a name is reached, and a service that dies there is followed by one that does the rest, once."""
    assert kill_at(quick_folder, SEED, Death(step)) == []


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_every_file_is_filed_exactly_once_however_often_the_service_is_killed(quick_folder: Path, seed: int) -> None:
    """Files come singly, twice, in halves and in subfolders, are replaced, taken back and retried, while the service is killed."""
    wrong, kills = kill_often(quick_folder, seed, times=8)
    assert wrong == []
    assert sum(kills.values()) == 8
