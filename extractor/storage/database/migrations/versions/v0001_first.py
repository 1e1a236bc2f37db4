"""The first schema: jobs, receipts with their parts, and the text index (its rowid is `receipts.id`)."""

from alembic import op

revision = "0001"
down_revision = None

SCHEMA = """
CREATE TABLE jobs (
    id INTEGER NOT NULL,
    receipt_id TEXT NOT NULL,
    path BLOB NOT NULL,
    name TEXT NOT NULL,
    sha256 TEXT,
    size_bytes INTEGER NOT NULL,
    tags TEXT NOT NULL,
    received_at TEXT NOT NULL,
    state TEXT NOT NULL,
    worker TEXT,
    lease_until DOUBLE,
    attempts INTEGER NOT NULL,
    interruptions INTEGER NOT NULL,
    waits INTEGER NOT NULL,
    next_attempt_at DOUBLE NOT NULL,
    error_kind TEXT,
    error_message TEXT,
    duplicate_of TEXT,
    filed_as TEXT,
    filed_at TEXT,
    PRIMARY KEY (id),
    CONSTRAINT known_state CHECK (state in ('queued', 'reading', 'stored', 'done', 'failed', 'duplicate', 'withdrawn')),
    UNIQUE (receipt_id)
);
CREATE INDEX jobs_due ON jobs (next_attempt_at, id) WHERE filed_at is null;
CREATE UNIQUE INDEX one_job_a_content ON jobs (sha256) WHERE state in ('queued', 'reading', 'stored', 'done') and sha256 is not null;
CREATE UNIQUE INDEX one_open_job_a_path ON jobs (path) WHERE filed_at is null;
CREATE TABLE receipts (
    id INTEGER NOT NULL,
    receipt_id TEXT NOT NULL,
    source_sha256 TEXT NOT NULL,
    original_filename TEXT NOT NULL,
    tags TEXT NOT NULL,
    received_at TEXT NOT NULL,
    status TEXT NOT NULL,
    duplicate_of TEXT,
    document_type TEXT,
    merchant_name TEXT,
    merchant_key TEXT,
    merchant_address TEXT,
    merchant_phone TEXT,
    merchant_tax_id TEXT,
    merchant_country TEXT,
    receipt_number TEXT,
    transaction_date TEXT,
    transaction_time TEXT,
    date_ambiguous BOOLEAN NOT NULL,
    currency_code TEXT,
    minor_factor INTEGER NOT NULL,
    locale TEXT,
    category TEXT,
    is_refund BOOLEAN NOT NULL,
    subtotal_minor INTEGER,
    discount_total_minor INTEGER,
    tax_total_minor INTEGER,
    tax_included BOOLEAN,
    tip_minor INTEGER,
    service_charge_minor INTEGER,
    rounding_minor INTEGER,
    total_minor INTEGER,
    amount_tendered_minor INTEGER,
    change_given_minor INTEGER,
    reader TEXT NOT NULL,
    model TEXT,
    prompt_version TEXT,
    schema_version TEXT NOT NULL,
    ocr_text TEXT,
    record_json TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (receipt_id)
);
CREATE INDEX ix_receipts_source_sha256 ON receipts (source_sha256);
CREATE INDEX ix_receipts_status ON receipts (status);
CREATE INDEX ix_receipts_transaction_date ON receipts (transaction_date);
CREATE INDEX receipts_twins ON receipts (merchant_key, transaction_date, total_minor);
CREATE TABLE attempts (
    rung TEXT NOT NULL,
    fields TEXT NOT NULL,
    changed TEXT NOT NULL,
    seconds DOUBLE NOT NULL,
    tokens INTEGER,
    error TEXT,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
CREATE TABLE checks (
    name TEXT NOT NULL,
    expected TEXT,
    actual TEXT,
    tolerance TEXT,
    passed BOOLEAN NOT NULL,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
CREATE TABLE fields (
    receipt_id TEXT NOT NULL,
    path TEXT NOT NULL,
    raw_text TEXT,
    confidence DOUBLE,
    origin TEXT,
    page INTEGER,
    box_left DOUBLE,
    box_top DOUBLE,
    box_right DOUBLE,
    box_bottom DOUBLE,
    state TEXT NOT NULL,
    PRIMARY KEY (receipt_id, path),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
CREATE TABLE items (
    description TEXT,
    product_code TEXT,
    quantity TEXT,
    unit_of_measure TEXT,
    unit_price TEXT,
    discount_minor INTEGER,
    total_price_minor INTEGER,
    tax_rate TEXT,
    tax_code TEXT,
    kind TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
CREATE TABLE payments (
    method TEXT,
    amount_minor INTEGER,
    card_network TEXT,
    card_last4 TEXT,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
CREATE TABLE review_reasons (
    field TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
CREATE TABLE tax_lines (
    description TEXT,
    code TEXT,
    rate TEXT,
    net_amount_minor INTEGER,
    amount_minor INTEGER,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
CREATE VIRTUAL TABLE receipts_fts USING fts5(merchant, items, ocr_text, tokenize = "unicode61 remove_diacritics 2");
"""


def upgrade() -> None:
    """Create everything."""
    for statement in SCHEMA.split(";\n"):
        if statement.strip():
            op.execute(statement)
