"""Receipt files: formats, limits, and the pages inside. `loading` reads a file; `isolated_check` tests one in a separate process."""

from extractor.documents.loading import check_complete, display_name, load_pages
from extractor.documents.pages import Page, PageLimits

__all__ = ["Page", "PageLimits", "check_complete", "display_name", "load_pages"]
