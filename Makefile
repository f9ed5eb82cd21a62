# Everything a fresh machine needs: `make demo` and `make test` set themselves up.
SHELL := bash

# Candidates are tried by running them: version managers leave names that do not work.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c 'import sys, venv, ensurepip; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
# Passed to pip as they are, for example to choose a build of torch.
PIP_ARGS ?=

VENV := .venv
BASE := .venv-base
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
METHOD ?= attribution-patching

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports workflows unit references board base slow fuzz methods bench clean

help:
	@echo "make demo     score a method against a measured reference (METHOD=...)"
	@echo "make test     every check that a change has to pass"
	@echo "make slow     every planted circuit, measured; an hour"
	@echo "make fuzz     readers of submissions against hostile bytes; half an hour (FUZZ_SECONDS=...)"
	@echo "make methods  every built-in method on every task, submitted; 15 minutes"
	@echo "make bench    timings, side by side, and docs/performance.md; 50 minutes"
	@echo "make clean    remove the environments and caches; results/ stays"

python-found:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv was found. On Debian and \
	Ubuntu: apt install python3 python3-venv. Or name one: make PYTHON=/path/to/python"; exit 2; }

$(VENV)/run: pyproject.toml constraints.txt | python-found
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) $(PIP_ARGS) --editable '.[run]'
	@touch $@

$(VENV)/dev: $(VENV)/run
	$(BIN)/python $(PIP) $(PIP_ARGS) --editable '.[run,dev]'
	@touch $@

$(BASE)/base: pyproject.toml constraints.txt | python-found
	$(PYTHON) -m venv $(BASE)
	$(BASE)/bin/python $(PIP) $(PIP_ARGS) --editable .
	@touch $@

demo: $(VENV)/run
	$(BIN)/bench evaluate $(METHOD)
	@echo
	@echo "The picture is results/$(METHOD)/induction/small-llama.png. Next:"
	@echo "  source $(VENV)/bin/activate"
	@echo "  bench reference show induction/small-llama   what the method was measured against"
	@echo "  bench init my-method                         a method of your own"

# empty where the board is behind a merged submission (.github/workflows/tests.yml)
BOARD ?= board

# the longest first: beside it there is time for the rest
test: $(VENV)/dev
	$(MAKE) --jobs 2 --output-sync=target references lint types imports workflows $(BOARD) base
	$(MAKE) unit
	@echo "All checks passed."

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

imports: $(VENV)/dev
	$(BIN)/lint-imports

# what runs on the machines of others: the workflows, and the scripts that they start
workflows: $(VENV)/dev
	$(BIN)/zizmor --offline --persona=auditor --strict-collection --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/shellcheck .ci/run .github/*.sh .github/container/*.sh

unit: $(VENV)/dev
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

board: $(VENV)/dev
	$(BIN)/bench leaderboard --check
	$(BIN)/bench findings --check
	$(BIN)/bench ledger check

# a trained model, measured again from the start; tests do so with the first prompts of all
QUICK := induction/small-llama
references: $(VENV)/dev
	printf '%s\n' $(QUICK) | OMP_NUM_THREADS=1 xargs -P 2 -n 1 $(BIN)/bench reference verify

# the torch-free commands, in an environment that has no torch
base: $(BASE)/base
	$(BASE)/bin/python tests/without_torch.py

# what takes an hour: every planted circuit, every stored reference
slow: $(VENV)/dev
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m slow
	$(MAKE) references QUICK="$$($(BIN)/bench list suites --json | $(BIN)/python -c \
		"import json, sys; print(json.load(sys.stdin)[0]['tasks'].replace(',', ''))")"

# guided by coverage; what is found anew stays in .fuzz/, a crash ends it
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/dev
	for target in strict records arrays; do mkdir -p .fuzz/$$target && \
		$(BIN)/python -m tests.fuzz.harness $$target -max_total_time=$(FUZZ_SECONDS) \
		-artifact_prefix=.fuzz/ .fuzz/$$target || exit 1; done

# what the built-in methods say, evaluated and submitted anew, two at a time; from the
# end of the list, as the longest runs are there and both should end together
METHODS = $$($(BIN)/bench list methods --json | $(BIN)/python -c \
	"import json, sys; print(*(row['method'] for row in json.load(sys.stdin)), sep='\n')")
methods: $(VENV)/run
	printf '%s\n' $(METHODS) | sort -r | OMP_NUM_THREADS=1 xargs -P 2 -n 4 $(BIN)/bench evaluate
	printf '%s\n' $(METHODS) | xargs -P 2 -n 1 $(BIN)/bench submit --write --no-git
	$(BIN)/bench leaderboard
	$(BIN)/bench findings

# side by side on one thread, without the checks of types that tests run with; the page
# is docs/performance.md
TIMES := .benchmarks/times.json
bench: $(VENV)/dev
	mkdir -p $(dir $(TIMES))
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/benchmarks \
		-o addopts=--import-mode=importlib --benchmark-enable --benchmark-only \
		--benchmark-columns=min,median,max,rounds \
		--benchmark-sort=name --benchmark-json=$(TIMES)
	$(BIN)/python -m tests.benchmarks.page $(TIMES) docs

clean:
	rm -rf $(VENV) $(BASE) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
