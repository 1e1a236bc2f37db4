-- The documented views: stable names for queries; amounts in the receipt's currency as decimal numbers.
-- They are recreated after each migration. `*_minor` columns are exact integers (cents); add those up for exact sums.
-- Tests run every line that begins with `-- example:`.
--
-- Spending by month and currency:
-- example: SELECT month, currency_code, count(*) AS receipts, sum(total_minor) * 1.0 / minor_factor AS total FROM v_spending GROUP BY month, currency_code, minor_factor ORDER BY month
-- The ten merchants where most was spent:
-- example: SELECT merchant_name, currency_code, count(*) AS receipts, sum(total_minor) * 1.0 / minor_factor AS total FROM v_spending GROUP BY merchant_name, currency_code, minor_factor ORDER BY total DESC LIMIT 10
-- What was bought most often:
-- example: SELECT description, count(*) AS times, min(unit_price) AS cheapest, max(unit_price) AS dearest FROM v_items WHERE kind = 'item' GROUP BY description ORDER BY times DESC LIMIT 20
-- Tax by rate, for a tax return:
-- example: SELECT currency_code, rate, sum(net_amount_minor) * 1.0 / minor_factor AS net, sum(amount_minor) * 1.0 / minor_factor AS tax FROM v_tax_lines JOIN v_spending USING (receipt_id, currency_code, minor_factor) WHERE day BETWEEN '2026-01-01' AND '2026-12-31' GROUP BY currency_code, rate, minor_factor
-- What a person has to check, and why:
-- example: SELECT receipt_id, file, merchant_name, field, kind, message FROM v_needs_review ORDER BY receipt_id
-- Receipts with a tag (the inbox subfolder they were dropped in):
-- example: SELECT receipt_id, merchant_name, total FROM v_receipts WHERE EXISTS (SELECT 1 FROM json_each(tags) WHERE value = 'travel')
-- Words anywhere in a receipt:
-- example: SELECT v_receipts.receipt_id, v_receipts.merchant_name FROM receipts_fts JOIN receipts ON receipts.id = receipts_fts.rowid JOIN v_receipts USING (receipt_id) WHERE receipts_fts MATCH 'coffee'

CREATE VIEW v_receipts AS
SELECT
    r.receipt_id, r.status, r.document_type,
    r.merchant_name, r.merchant_address, r.merchant_phone, r.merchant_tax_id, r.merchant_country,
    r.receipt_number, r.transaction_date, r.transaction_time, r.date_ambiguous,
    r.currency_code,
    r.total_minor * 1.0 / r.minor_factor AS total,
    r.subtotal_minor * 1.0 / r.minor_factor AS subtotal,
    r.discount_total_minor * 1.0 / r.minor_factor AS discount_total,
    r.tax_total_minor * 1.0 / r.minor_factor AS tax_total,
    r.tax_included,
    r.tip_minor * 1.0 / r.minor_factor AS tip,
    r.service_charge_minor * 1.0 / r.minor_factor AS service_charge,
    r.rounding_minor * 1.0 / r.minor_factor AS rounding,
    r.amount_tendered_minor * 1.0 / r.minor_factor AS amount_tendered,
    r.change_given_minor * 1.0 / r.minor_factor AS change_given,
    r.total_minor, r.subtotal_minor, r.tax_total_minor, r.minor_factor,
    r.category, r.is_refund, r.locale, r.tags, r.duplicate_of,
    r.original_filename, j.filed_as AS file, r.source_sha256, r.received_at,
    r.reader, r.model
FROM receipts AS r LEFT JOIN jobs AS j -- of several receipts in one file only the first has the job's identifier
    ON j.sha256 = r.source_sha256 AND j.state in ('queued', 'reading', 'stored', 'done') AND j.sha256 is not null;

CREATE VIEW v_items AS
SELECT
    i.receipt_id, i.position, r.transaction_date, r.merchant_name, r.currency_code, r.status,
    i.description, i.product_code,
    CAST(i.quantity AS REAL) AS quantity, i.unit_of_measure,
    CAST(i.unit_price AS REAL) AS unit_price,
    i.discount_minor * 1.0 / r.minor_factor AS discount,
    i.total_price_minor * 1.0 / r.minor_factor AS total_price,
    CAST(i.tax_rate AS REAL) AS tax_rate, i.tax_code, i.kind,
    i.total_price_minor, r.minor_factor
FROM items AS i JOIN receipts AS r ON r.receipt_id = i.receipt_id;

CREATE VIEW v_tax_lines AS
SELECT
    t.receipt_id, t.position, r.transaction_date, r.merchant_name, r.currency_code, r.status,
    t.description, t.code, CAST(t.rate AS REAL) AS rate,
    t.net_amount_minor * 1.0 / r.minor_factor AS net_amount,
    t.amount_minor * 1.0 / r.minor_factor AS amount,
    t.net_amount_minor, t.amount_minor, r.minor_factor
FROM tax_lines AS t JOIN receipts AS r ON r.receipt_id = t.receipt_id;

CREATE VIEW v_needs_review AS
SELECT
    r.receipt_id, r.received_at, r.original_filename, j.filed_as AS file,
    r.merchant_name, r.transaction_date, r.total_minor * 1.0 / r.minor_factor AS total, r.currency_code, r.duplicate_of,
    w.field, w.kind, w.message
FROM receipts AS r
LEFT JOIN review_reasons AS w ON w.receipt_id = r.receipt_id
LEFT JOIN jobs AS j ON j.sha256 = r.source_sha256 AND j.state in ('queued', 'reading', 'stored', 'done') AND j.sha256 is not null
WHERE r.status = 'needs_review';

-- For sums: each purchase once. Accepted and corrected records; of several photos of one receipt only one. Dates that are missing count as
-- the day of arrival.
CREATE VIEW v_spending AS
SELECT
    r.receipt_id, r.day, substr(r.day, 1, 7) AS month, r.merchant_name, r.category, r.currency_code,
    r.total_minor * 1.0 / r.minor_factor AS total,
    r.tax_total_minor * 1.0 / r.minor_factor AS tax_total,
    r.tip_minor * 1.0 / r.minor_factor AS tip,
    r.total_minor, r.tax_total_minor, r.minor_factor, r.is_refund, r.status, r.tags
FROM receipts AS r
WHERE r.status IN ('accepted', 'corrected') AND (
    r.duplicate_of IS NULL
    OR NOT EXISTS (
        SELECT 1 FROM receipts AS other
        WHERE other.status IN ('accepted', 'corrected') AND (
            other.receipt_id = r.duplicate_of OR (other.duplicate_of = r.duplicate_of AND other.receipt_id < r.receipt_id)
        )
    )
);
