# `make demo` shows what kcompile does; `make test` is what has to pass. Both work from a fresh clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLES := prod lab edge metal
export SOPS_AGE_KEY_FILE := $(CURDIR)/clusters/keys/alice.txt

.PHONY: demo test lint golden bench clean

$(VENV)/kcompile: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/test: $(VENV)/kcompile
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: $(VENV)/kcompile  ## Build an example cluster and show its tree.
	rm -rf .demo
	$(BIN)/kcompile build clusters/prod.yaml --out .demo
	@cd .demo && find prod -type d \( -path '*/hosts/cp-[23]' -o -path '*/hosts/[sw]-[23]' \) -prune -o -print | LC_ALL=C sort \
		| sed -e 's;[^/]*/;  ;g'
	@diff -r .demo/prod out/prod && echo 'equal to the committed tree, out/prod'

lint: $(VENV)/test
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --verbose >/dev/null || $(BIN)/lint-imports

test: lint  ## Lint, type check, and run every test.
	@./tests/tools.sh
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --cov --cov-report=term $(PYTEST_ARGS)

golden: $(VENV)/kcompile  ## Build what is committed and generated: out/ and schemas/. Review the diff.
	$(BIN)/kcompile schema > schemas/cluster.schema.json
	$(BIN)/python docs/errors/generate.py
	for name in $(EXAMPLES); do $(BIN)/kcompile build clusters/$$name.yaml || exit; done

bench: $(VENV)/kcompile  ## Measure whole builds against the floor of the same run.
	$(BIN)/python benchmarks/bench.py

clean:
	rm -rf $(VENV) .demo .coverage* .mypy_cache .ruff_cache .pytest_cache
