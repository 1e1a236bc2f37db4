# make run    install into .venv, read a handful of sample receipts, show what came out
# make test   install into .venv, then lint, types, import layers and all tests that need no torch
# make test-vision   install torch for CPUs and what belongs to it into .venv too, then the vision reader's tests on tiny models
# make crash  kill the service and cut the power, again and again, for MINUTES (5); SEED repeats a round
# make fuzz   feed made-up bytes to everything that reads what strangers send, SECONDS each (60); TARGETS names some of them
# make gate   read 200 rendered receipts and fail where fewer fields are right than bench/gate/baseline.json asks for
# make clean  remove what these two made, but no receipts: inbox/, outbox/ and receipts.db stay

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
BIN := .venv/bin
SAMPLES := .demo
SECONDS ?= 60
MINUTES ?= 5

.DEFAULT_GOAL := run
.PHONY: run test test-vision gate crash fuzz clean

# A stamp a set of packages: made again only when pyproject.toml has changed.
.venv/for-run: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@echo "Installing into .venv (half a minute to two, the first time only)"
	@$(PYTHON) -m venv .venv || { echo "The venv module is needed: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[samples]'
	@touch $@

.venv/for-test: pyproject.toml .venv/for-run
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[samples,dev]'
	@touch $@

.venv/for-test-vision: pyproject.toml .venv/for-test
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[samples,dev,vision-cpu]'
	@touch $@

run: .venv/for-run
	@$(BIN)/python -m training.samples $(SAMPLES) >/dev/null
	@$(BIN)/receipts init
	@$(BIN)/receipts add $(SAMPLES)/* >/dev/null
	@echo "Reading what is in the inbox:"
	@RECEIPTS_INBOX__SETTLE_SECONDS=0.5 RECEIPTS_LOG__LEVEL=ERROR $(BIN)/receipts watch --once
	@$(BIN)/receipts list --why
	@echo "Look closer:       $(BIN)/receipts show ID"
	@echo "Ask the database:  sqlite3 receipts.db \"SELECT merchant_name, total, currency_code FROM v_receipts WHERE status = 'accepted'\""
	@echo "Take it away:      $(BIN)/receipts export --format csv > receipts.csv"
	@echo "Read your own:     $(BIN)/receipts watch, and drop receipts into inbox/"

test: .venv/for-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not vision'
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered --skip-empty | tail -n 40

test-vision: .venv/for-test-vision
	$(BIN)/python -m pytest -m vision

gate: .venv/for-test
	$(BIN)/python -m bench.gate

crash: .venv/for-test
	nice $(BIN)/python -m tests.crash $(MINUTES) $(SEED)

fuzz: .venv/for-test
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[samples,dev,fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

clean:
	rm -rf .venv $(SAMPLES) .fuzz .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
