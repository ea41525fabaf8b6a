# The two commands: `make prove` (the main job) and `make test` (the whole suite). Both set up .venv themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help prove test check format docs bench promises lock runtime dev

help:
	@echo "make prove      prove the reference fleet (ARGS='--keep-open' adds options)"
	@echo "make test       the whole test suite (ARGS='-k chain' adds options)"
	@echo "make check      formatting, lint, types, import contracts, shellcheck"
	@echo "make docs       write the generated reference pages again"
	@echo "make bench      ours and the peer in turn, as ratios"
	@echo "make promises   every promise in full (PROMISE=P-10 for one)"

runtime:
	@$(PYTHON) scripts/bootstrap.py runtime

dev:
	@$(PYTHON) scripts/bootstrap.py dev

prove: runtime
	@$(BIN)/windlass prove $(ARGS)

test: dev
	@$(BIN)/python -m pytest -n auto --dist loadfile -q $(ARGS)

check: dev
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/shellcheck .ci/run scripts/*.sh
	@$(BIN)/python scripts/docs.py --check

format: dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: dev
	@$(BIN)/python scripts/docs.py

bench: runtime
	@$(BIN)/python bench/run.py $(ARGS)

promises: dev
	@$(BIN)/python tests/promises/run.py $(PROMISE)

lock: dev
	@$(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -q -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -q -o requirements-dev.lock
