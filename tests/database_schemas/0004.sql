BEGIN;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version (version_num) VALUES ('0004');
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
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (1, '01KKPEA93G17VG36QQM6WJHQ2M', X'636F7079206F662072616D656E2E706E67', 'copy of ramen.png', 'd8472e7f4f470b142075ada25acd85415ae9c7dfab273b21c696461e12b772d8', 5, '[]', '2026-03-14T15:09:26.000000+00:00', 'done', NULL, NULL, 0, 0, 0, 1773500966.0, NULL, NULL, NULL, '2026/02/copy of ramen-M6WJHQ2M.png', '2026-03-14T15:09:26.000000+00:00');
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (2, '01KKPEA93GE2BFVC8Z941SNP2B', X'676F6E652E6A7067', 'gone.jpg', '0bf9f298fb662c51539063e32f03b24afb39bed6c0f3b504511f7764d937f762', 26, '[]', '2026-03-14T15:09:26.000000+00:00', 'withdrawn', NULL, NULL, 0, 0, 0, 1773500966.0, NULL, NULL, NULL, NULL, '2026-03-14T15:09:26.000000+00:00');
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (3, '01KKPEA93GY2Q3ZQYRMDK97NZ1', X'6C6F636B65642E706466', 'locked.pdf', '954d1bb83d80bb6f6e746b28f0de3ec4c4ed980cfe67ed23a9159cd464ff339a', 9, '[]', '2026-03-14T15:09:26.000000+00:00', 'failed', NULL, NULL, 1, 0, 0, 1773500966.0, 'Encrypted', 'locked.pdf is encrypted. Remove the password and drop it again.', NULL, 'failed/locked.pdf', '2026-03-14T15:09:26.000000+00:00');
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (4, '01KKPEA93GH1V7WGSRS19FRT2C', X'72616D656E2E706E67', 'ramen.png', 'd8472e7f4f470b142075ada25acd85415ae9c7dfab273b21c696461e12b772d8', 5, '[]', '2026-03-14T15:09:26.000000+00:00', 'duplicate', NULL, NULL, 0, 0, 0, 1773500966.0, NULL, NULL, '01KKPEA93G17VG36QQM6WJHQ2M', 'duplicates/ramen.png', '2026-03-14T15:09:26.000000+00:00');
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (5, '01KKPEA93GJ1AVN3W4ZH205Q0P', X'74726176656C2F6361666520616761696E2E6A7067', 'cafe again.jpg', '5477b7b3e833d21964bdd10b771051f43fee1089f56d911b5f08632e2aab6a99', 35, '["travel"]', '2026-03-14T15:09:26.000000+00:00', 'done', NULL, NULL, 0, 0, 0, 1773500966.0, NULL, NULL, NULL, '2026/03/cafe again-ZH205Q0P.jpg', '2026-03-14T15:09:26.000000+00:00');
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (6, '01KKPEA93GJDHPR7G6BD41X6AB', X'74726176656C2F636166652E6A7067', 'cafe.jpg', 'efcc5409698e490d3f48f910f5e9b699b6aab0b8c4aa83189c78bdb8ee0d8424', 8, '["travel"]', '2026-03-14T15:09:26.000000+00:00', 'done', NULL, NULL, 0, 0, 0, 1773500966.0, NULL, NULL, NULL, '2026/03/cafe-BD41X6AB.jpg', '2026-03-14T15:09:26.000000+00:00');
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (7, '01KKPEA93GERRK3W5DF65ZWSF2', X'6C696E6B2E6A7067', 'link.jpg', NULL, 0, '[]', '2026-03-14T15:09:26.000000+00:00', 'failed', NULL, NULL, 0, 0, 0, 1773500966.0, 'Refused', 'link.jpg is a link, which is never opened or followed. Put the file itself in the inbox.', NULL, 'failed/link.jpg', '2026-03-14T15:09:26.000000+00:00');
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (8, '01KKPHR4QGTJSMPKE3TCB834PS', X'636166E92E6A7067', 'caf\xe9.jpg', '7c4a345722b40acbdc121843d43b674e9f7c50201f26b4b915931b4f2a73d3d0', 5, '[]', '2026-03-14T16:09:26.000000+00:00', 'reading', 'dead', 1773504866.0, 0, 0, 0, 1773504566.0, NULL, NULL, NULL, NULL, NULL);
INSERT INTO jobs (id, receipt_id, path, name, sha256, size_bytes, tags, received_at, state, worker, lease_until, attempts, interruptions, waits, next_attempt_at, error_kind, error_message, duplicate_of, filed_as, filed_at) VALUES (9, '01KKPHR4QGTYGVNRXAQXV6ZPWS', X'6265696E6720726561642E6A7067', 'being read.jpg', '0000000000000000000000000000000000000000000000000000000000000000', 7, '[]', '2026-03-14T16:09:26.000000+00:00', 'queued', NULL, NULL, 0, 0, 0, 1773504566.0, NULL, NULL, NULL, NULL, NULL);
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
    record_json TEXT NOT NULL, day TEXT GENERATED ALWAYS AS (coalesce(transaction_date, substr(received_at, 1, 10))) VIRTUAL,
    PRIMARY KEY (id),
    UNIQUE (receipt_id)
);
INSERT INTO receipts (id, receipt_id, source_sha256, original_filename, tags, received_at, status, duplicate_of, document_type, merchant_name, merchant_key, merchant_address, merchant_phone, merchant_tax_id, merchant_country, receipt_number, transaction_date, transaction_time, date_ambiguous, currency_code, minor_factor, locale, category, is_refund, subtotal_minor, discount_total_minor, tax_total_minor, tax_included, tip_minor, service_charge_minor, rounding_minor, total_minor, amount_tendered_minor, change_given_minor, reader, model, prompt_version, schema_version, ocr_text, record_json) VALUES (1, '01KKPEA93G17VG36QQM6WJHQ2M', 'd8472e7f4f470b142075ada25acd85415ae9c7dfab273b21c696461e12b772d8', 'copy of ramen.png', '[]', '2026-03-14T15:09:26.000000+00:00', 'needs_review', NULL, NULL, 'ラーメン二郎', 'ラーメン二郎', NULL, NULL, NULL, NULL, NULL, '2026-02-28', NULL, 0, 'JPY', 1, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1200, NULL, NULL, 'scripted', NULL, NULL, '1', NULL, '{"document_type":null,"merchant_name":"ラーメン二郎","merchant_address":null,"merchant_phone":null,"merchant_tax_id":null,"merchant_country":null,"receipt_number":null,"transaction_date":"2026-02-28","transaction_time":null,"date_ambiguous":false,"date_candidates":[],"currency_code":"JPY","locale":null,"category":null,"is_refund":false,"items":[],"subtotal":null,"discount_total":null,"tax_total":null,"tax_lines":[],"tax_included":null,"tip":null,"service_charge":null,"rounding":null,"total":"1200","payments":[],"amount_tendered":null,"change_given":null,"receipt_id":"01KKPEA93G17VG36QQM6WJHQ2M","source_sha256":"d8472e7f4f470b142075ada25acd85415ae9c7dfab273b21c696461e12b772d8","original_filename":"copy of ramen.png","tags":[],"region":null,"received_at":"2026-03-14T15:09:26Z","status":"needs_review","review_reasons":[{"field":"total","kind":"unconfirmed","message":"Compare the total with the picture."}],"duplicate_of":null,"reader":"scripted","model":null,"prompt_version":null,"schema_version":"1","attempts":[],"checks":[],"fields":{},"ocr_text":null}');
INSERT INTO receipts (id, receipt_id, source_sha256, original_filename, tags, received_at, status, duplicate_of, document_type, merchant_name, merchant_key, merchant_address, merchant_phone, merchant_tax_id, merchant_country, receipt_number, transaction_date, transaction_time, date_ambiguous, currency_code, minor_factor, locale, category, is_refund, subtotal_minor, discount_total_minor, tax_total_minor, tax_included, tip_minor, service_charge_minor, rounding_minor, total_minor, amount_tendered_minor, change_given_minor, reader, model, prompt_version, schema_version, ocr_text, record_json) VALUES (2, '01KKPEA93GJ1AVN3W4ZH205Q0P', '5477b7b3e833d21964bdd10b771051f43fee1089f56d911b5f08632e2aab6a99', 'cafe again.jpg', '["travel"]', '2026-03-14T15:09:26.000000+00:00', 'accepted', NULL, NULL, 'Kopi & Co.', 'kopico', NULL, NULL, NULL, NULL, NULL, '2026-03-14', '09:26:00', 0, 'MYR', 100, NULL, NULL, 0, 1600, NULL, 96, NULL, NULL, NULL, NULL, 1696, NULL, NULL, 'scripted', NULL, NULL, '1', 'KOPI & CO
Flat white 17.01
TOTAL RM16.96', '{"document_type":null,"merchant_name":"Kopi & Co.","merchant_address":null,"merchant_phone":null,"merchant_tax_id":null,"merchant_country":null,"receipt_number":null,"transaction_date":"2026-03-14","transaction_time":"09:26:00","date_ambiguous":false,"date_candidates":[],"currency_code":"MYR","locale":null,"category":null,"is_refund":false,"items":[{"description":"Flat white","product_code":null,"quantity":"2","unit_of_measure":null,"unit_price":"8.505","discount":null,"total_price":"17.01","tax_rate":null,"tax_code":null,"kind":"item"},{"description":"It''s on the house","product_code":null,"quantity":null,"unit_of_measure":null,"unit_price":null,"discount":null,"total_price":"-1.01","tax_rate":null,"tax_code":null,"kind":"discount"}],"subtotal":"16.00","discount_total":null,"tax_total":"0.96","tax_lines":[{"description":null,"code":"S","rate":"6.0","net_amount":"16.00","amount":"0.96"}],"tax_included":null,"tip":null,"service_charge":null,"rounding":null,"total":"16.96","payments":[{"method":"cash","amount":"16.95","card_network":null,"card_last4":null}],"amount_tendered":null,"change_given":null,"receipt_id":"01KKPEA93GJ1AVN3W4ZH205Q0P","source_sha256":"5477b7b3e833d21964bdd10b771051f43fee1089f56d911b5f08632e2aab6a99","original_filename":"cafe again.jpg","tags":["travel"],"region":null,"received_at":"2026-03-14T15:09:26Z","status":"accepted","review_reasons":[],"duplicate_of":null,"reader":"scripted","model":null,"prompt_version":null,"schema_version":"1","attempts":[{"rung":"first","fields":["total"],"changed":[],"seconds":0.25,"tokens":null,"error":null,"page":0,"box":[0.1,0.2,0.3,0.4],"samples":5}],"checks":[{"name":"total_sum","expected":"16.96","actual":"16.96","tolerance":null,"passed":true}],"fields":{"total":{"raw_text":"RM16.96","confidence":0.9,"origin":"ocr","page":0,"box":[0.1,0.2,0.3,0.4],"looks":2,"agreement":null,"state":"ok"}},"ocr_text":"KOPI & CO\nFlat white 17.01\nTOTAL RM16.96"}');
INSERT INTO receipts (id, receipt_id, source_sha256, original_filename, tags, received_at, status, duplicate_of, document_type, merchant_name, merchant_key, merchant_address, merchant_phone, merchant_tax_id, merchant_country, receipt_number, transaction_date, transaction_time, date_ambiguous, currency_code, minor_factor, locale, category, is_refund, subtotal_minor, discount_total_minor, tax_total_minor, tax_included, tip_minor, service_charge_minor, rounding_minor, total_minor, amount_tendered_minor, change_given_minor, reader, model, prompt_version, schema_version, ocr_text, record_json) VALUES (3, '01KKPEA93GJDHPR7G6BD41X6AB', 'efcc5409698e490d3f48f910f5e9b699b6aab0b8c4aa83189c78bdb8ee0d8424', 'cafe.jpg', '["travel"]', '2026-03-14T15:09:26.000000+00:00', 'accepted', '01KKPEA93GJ1AVN3W4ZH205Q0P', NULL, 'Kopi & Co.', 'kopico', NULL, NULL, NULL, NULL, NULL, '2026-03-14', '09:26:00', 0, 'MYR', 100, NULL, NULL, 0, 1600, NULL, 96, NULL, NULL, NULL, NULL, 1696, NULL, NULL, 'scripted', NULL, NULL, '1', 'KOPI & CO
Flat white 17.01
TOTAL RM16.96', '{"document_type":null,"merchant_name":"Kopi & Co.","merchant_address":null,"merchant_phone":null,"merchant_tax_id":null,"merchant_country":null,"receipt_number":null,"transaction_date":"2026-03-14","transaction_time":"09:26:00","date_ambiguous":false,"date_candidates":[],"currency_code":"MYR","locale":null,"category":null,"is_refund":false,"items":[{"description":"Flat white","product_code":null,"quantity":"2","unit_of_measure":null,"unit_price":"8.505","discount":null,"total_price":"17.01","tax_rate":null,"tax_code":null,"kind":"item"},{"description":"It''s on the house","product_code":null,"quantity":null,"unit_of_measure":null,"unit_price":null,"discount":null,"total_price":"-1.01","tax_rate":null,"tax_code":null,"kind":"discount"}],"subtotal":"16.00","discount_total":null,"tax_total":"0.96","tax_lines":[{"description":null,"code":"S","rate":"6.0","net_amount":"16.00","amount":"0.96"}],"tax_included":null,"tip":null,"service_charge":null,"rounding":null,"total":"16.96","payments":[{"method":"cash","amount":"16.95","card_network":null,"card_last4":null}],"amount_tendered":null,"change_given":null,"receipt_id":"01KKPEA93GJDHPR7G6BD41X6AB","source_sha256":"efcc5409698e490d3f48f910f5e9b699b6aab0b8c4aa83189c78bdb8ee0d8424","original_filename":"cafe.jpg","tags":["travel"],"region":null,"received_at":"2026-03-14T15:09:26Z","status":"accepted","review_reasons":[],"duplicate_of":"01KKPEA93GJ1AVN3W4ZH205Q0P","reader":"scripted","model":null,"prompt_version":null,"schema_version":"1","attempts":[{"rung":"first","fields":["total"],"changed":[],"seconds":0.25,"tokens":null,"error":null,"page":0,"box":[0.1,0.2,0.3,0.4],"samples":5}],"checks":[{"name":"total_sum","expected":"16.96","actual":"16.96","tolerance":null,"passed":true}],"fields":{"total":{"raw_text":"RM16.96","confidence":0.9,"origin":"ocr","page":0,"box":[0.1,0.2,0.3,0.4],"looks":2,"agreement":null,"state":"ok"}},"ocr_text":"KOPI & CO\nFlat white 17.01\nTOTAL RM16.96"}');
CREATE TABLE attempts (
    rung TEXT NOT NULL,
    fields TEXT NOT NULL,
    changed TEXT NOT NULL,
    seconds DOUBLE NOT NULL,
    tokens INTEGER,
    error TEXT,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL, page INTEGER, box_left DOUBLE, box_top DOUBLE, box_right DOUBLE, box_bottom DOUBLE, samples INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
INSERT INTO attempts (rung, fields, changed, seconds, tokens, error, receipt_id, position, page, box_left, box_top, box_right, box_bottom, samples) VALUES ('first', '["total"]', '[]', 0.25, NULL, NULL, '01KKPEA93GJ1AVN3W4ZH205Q0P', 0, 0, 0.1, 0.2, 0.3, 0.4, 5);
INSERT INTO attempts (rung, fields, changed, seconds, tokens, error, receipt_id, position, page, box_left, box_top, box_right, box_bottom, samples) VALUES ('first', '["total"]', '[]', 0.25, NULL, NULL, '01KKPEA93GJDHPR7G6BD41X6AB', 0, 0, 0.1, 0.2, 0.3, 0.4, 5);
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
INSERT INTO checks (name, expected, actual, tolerance, passed, receipt_id, position) VALUES ('total_sum', '16.96', '16.96', NULL, 1, '01KKPEA93GJ1AVN3W4ZH205Q0P', 0);
INSERT INTO checks (name, expected, actual, tolerance, passed, receipt_id, position) VALUES ('total_sum', '16.96', '16.96', NULL, 1, '01KKPEA93GJDHPR7G6BD41X6AB', 0);
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
    state TEXT NOT NULL, looks INTEGER NOT NULL DEFAULT 1, agreement DOUBLE,
    PRIMARY KEY (receipt_id, path),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
INSERT INTO fields (receipt_id, path, raw_text, confidence, origin, page, box_left, box_top, box_right, box_bottom, state, looks, agreement) VALUES ('01KKPEA93GJ1AVN3W4ZH205Q0P', 'total', 'RM16.96', 0.9, 'ocr', 0, 0.1, 0.2, 0.3, 0.4, 'ok', 2, NULL);
INSERT INTO fields (receipt_id, path, raw_text, confidence, origin, page, box_left, box_top, box_right, box_bottom, state, looks, agreement) VALUES ('01KKPEA93GJDHPR7G6BD41X6AB', 'total', 'RM16.96', 0.9, 'ocr', 0, 0.1, 0.2, 0.3, 0.4, 'ok', 2, NULL);
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
INSERT INTO items (description, product_code, quantity, unit_of_measure, unit_price, discount_minor, total_price_minor, tax_rate, tax_code, kind, receipt_id, position) VALUES ('Flat white', NULL, '2', NULL, '8.505', NULL, 1701, NULL, NULL, 'item', '01KKPEA93GJ1AVN3W4ZH205Q0P', 0);
INSERT INTO items (description, product_code, quantity, unit_of_measure, unit_price, discount_minor, total_price_minor, tax_rate, tax_code, kind, receipt_id, position) VALUES ('It''s on the house', NULL, NULL, NULL, NULL, NULL, -101, NULL, NULL, 'discount', '01KKPEA93GJ1AVN3W4ZH205Q0P', 1);
INSERT INTO items (description, product_code, quantity, unit_of_measure, unit_price, discount_minor, total_price_minor, tax_rate, tax_code, kind, receipt_id, position) VALUES ('Flat white', NULL, '2', NULL, '8.505', NULL, 1701, NULL, NULL, 'item', '01KKPEA93GJDHPR7G6BD41X6AB', 0);
INSERT INTO items (description, product_code, quantity, unit_of_measure, unit_price, discount_minor, total_price_minor, tax_rate, tax_code, kind, receipt_id, position) VALUES ('It''s on the house', NULL, NULL, NULL, NULL, NULL, -101, NULL, NULL, 'discount', '01KKPEA93GJDHPR7G6BD41X6AB', 1);
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
INSERT INTO payments (method, amount_minor, card_network, card_last4, receipt_id, position) VALUES ('cash', 1695, NULL, NULL, '01KKPEA93GJ1AVN3W4ZH205Q0P', 0);
INSERT INTO payments (method, amount_minor, card_network, card_last4, receipt_id, position) VALUES ('cash', 1695, NULL, NULL, '01KKPEA93GJDHPR7G6BD41X6AB', 0);
CREATE TABLE review_reasons (
    field TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (receipt_id, position),
    FOREIGN KEY(receipt_id) REFERENCES receipts (receipt_id) ON DELETE CASCADE
);
INSERT INTO review_reasons (field, kind, message, receipt_id, position) VALUES ('total', 'unconfirmed', 'Compare the total with the picture.', '01KKPEA93G17VG36QQM6WJHQ2M', 0);
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
INSERT INTO tax_lines (description, code, rate, net_amount_minor, amount_minor, receipt_id, position) VALUES (NULL, 'S', '6.0', 1600, 96, '01KKPEA93GJ1AVN3W4ZH205Q0P', 0);
INSERT INTO tax_lines (description, code, rate, net_amount_minor, amount_minor, receipt_id, position) VALUES (NULL, 'S', '6.0', 1600, 96, '01KKPEA93GJDHPR7G6BD41X6AB', 0);
CREATE VIRTUAL TABLE receipts_fts USING fts5(merchant, items, ocr_text, tokenize = "unicode61 remove_diacritics 2");
INSERT INTO receipts_fts (rowid, merchant, items, ocr_text) VALUES (1, 'ラーメン二郎', '', '');
INSERT INTO receipts_fts (rowid, merchant, items, ocr_text) VALUES (2, 'Kopi & Co.', 'Flat white
It''s on the house', 'KOPI & CO
Flat white 17.01
TOTAL RM 16.96');
INSERT INTO receipts_fts (rowid, merchant, items, ocr_text) VALUES (3, 'Kopi & Co.', 'Flat white
It''s on the house', 'KOPI & CO
Flat white 17.01
TOTAL RM 16.96');
CREATE UNIQUE INDEX one_job_a_content ON jobs (sha256) WHERE state in ('queued', 'reading', 'stored', 'done') and sha256 is not null;
CREATE UNIQUE INDEX one_open_job_a_path ON jobs (path) WHERE filed_at is null;
CREATE INDEX ix_receipts_source_sha256 ON receipts (source_sha256);
CREATE INDEX ix_receipts_transaction_date ON receipts (transaction_date);
CREATE INDEX receipts_twins ON receipts (merchant_key, transaction_date, total_minor);
CREATE INDEX jobs_due ON jobs (state, next_attempt_at, id) WHERE filed_at is null;
CREATE INDEX jobs_state ON jobs (state, filed_at);
CREATE INDEX jobs_refused ON jobs (path) WHERE error_kind = 'Refused';
CREATE INDEX jobs_filed ON jobs (filed_as);
CREATE INDEX receipts_status ON receipts (status, receipt_id);
CREATE INDEX receipts_day ON receipts (day);
CREATE INDEX receipts_duplicates ON receipts (duplicate_of) WHERE duplicate_of IS NOT NULL;
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
COMMIT;
