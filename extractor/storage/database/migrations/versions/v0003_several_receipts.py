"""A file may have several records: views, which are recreated after each migration, join the file by its hash."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change no table."""
