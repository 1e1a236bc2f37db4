"""A file may have several records: views, which are made anew after each migration, find the file by its bytes."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Changes no table."""
