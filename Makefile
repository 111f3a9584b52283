# Every target works from nothing: it makes .venv, installs, runs. A second call is quick.
PYTHON ?= python3
BIN := .venv/bin
# The editable install is a tree of links, one per file: a changed list of files needs a new install.
FILES := $(shell git ls-files -co --exclude-standard -- '*.py' '*.gguf' '*.toml' '*.typed' | sort | sha256sum | cut -c1-16)
DEPS := $(shell cat pyproject.toml constraints.txt 2>/dev/null | sha256sum | cut -c1-16)
VSCODE := editors/vscode
LINKS := .venv/links-$(FILES)-$(DEPS)
# setuptools warns that strict editable installs are experimental and that `build` must stay; errors are still shown.
PIP := PYTHONWARNINGS=ignore::UserWarning $(BIN)/pip install --quiet

.PHONY: install demo test check e2e clean
install: $(LINKS)

.venv/deps-$(DEPS):
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade pip setuptools
	$(PIP) --constraint constraints.txt --editable '.[test,check]'
	rm -f .venv/deps-* && touch $@

$(LINKS): .venv/deps-$(DEPS)
	$(PIP) --no-deps --no-build-isolation --editable .
	rm -f .venv/links-* && touch $@

demo: install
	$(BIN)/repofill demo

test: install
	$(BIN)/python -m pytest

$(VSCODE)/node_modules: $(VSCODE)/package-lock.json
	npm --prefix $(VSCODE) ci --silent && touch $@

check: install $(VSCODE)/node_modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	editors/neovim/tests/run check
	npm --prefix $(VSCODE) run --silent check
	npm --prefix $(VSCODE) test --silent

e2e: install $(VSCODE)/node_modules
	$(BIN)/python -m pytest tests/e2e
	editors/neovim/tests/run test
	$(VSCODE)/e2e/run

clean:
	rm -rf .venv build dist *.egg-info
