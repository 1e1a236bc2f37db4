"""The tiny vision model for the suite that every reader passes."""

from tests.vision.conftest import loaded_mllama, make_engine, mllama_folder, tiny

__all__ = ["loaded_mllama", "make_engine", "mllama_folder", "tiny"]
