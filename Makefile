# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run data experiments tune leaderboard promote rollback import-run remote doctor server deploy worker test reliability audit browser lint lock clean

SERVED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SERVED)' 2>/dev/null && echo $$python && break; done)
VENV := .venv
# A .venv that was set up for a GPU stays so; `make setup GPU=0` goes back.
GPU := $(if $(wildcard $(VENV)/.requirements-gpu.lock),1)
LOCK := requirements$(if $(filter-out 0,$(GPU)),-gpu).lock
READY := $(VENV)/.$(LOCK)
# These and GPU are heeded on the command line alone: a shell exports the like for others, as WSL does NAME, the host's.
# DATA, VOTES and SWEEP may stand before `make` too: who writes them there mustn't get the sample without a word.
$(foreach variable,ADVISORIES AT_ONCE BY DIR ENDPOINT NAME POOL REASON REQUIRE_GPU URL VERSION,$(eval $(variable) :=))

# DVC runs each stage with the `python` that it finds first.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
unexport PYTHONPATH PYTHONSAFEPATH PYTHONOPTIMIZE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with the locked packages; GPU=1 takes TensorFlow with CUDA

$(READY): $(LOCK)
	@"$(or $(PYTHON),false)" -c '$(SERVED)' || \
		{ echo "error: Python 3.11, 3.12 or 3.13 is needed; name one with make PYTHON=/path/to/python3"; exit 1; }
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(VENV)/bin/uv pip sync --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes $(LOCK)
	@rm -f $(VENV)/.requirements*.lock && touch $@

run: $(READY) ## Run the whole pipeline, on the pinned data or on DATA=/path/to/fer2013.csv VOTES=/path/to/fer2013new.csv
	@python -m flows.train $(if $(DATA),--source "$(DATA)") $(if $(VOTES),--ingest-option "votes=$(VOTES)")
	@python -m tasks.summary

data: $(READY) ## Take in DATA=/path/to/fer2013.csv (and VOTES=…), or the sample, and nothing more
	@python -m tasks.ingest "$(or $(DATA),sample)" $(if $(VOTES),--votes "$(VOTES)")

experiments: $(READY) ## Compare all runs: scores, and the parameters that differ
	@dvc exp show --no-pager --only-changed --drop '^(Created|(baseline|data|metrics|model|outputs|plots|tasks)(/.*)?)$$'

tune: $(READY) ## Make all runs of sweeps/$(SWEEP).yaml that are not there yet; POOL=1 on the workers of the pool, AT_ONCE=2 two at a time
	@test -n "$(SWEEP)" || { echo "error: name a sweep, as in make tune SWEEP=capstone; there are:" \
		$(basename $(notdir $(wildcard sweeps/*.yaml))); exit 1; }
	@python -m flows.tune "$(SWEEP)" $(if $(filter-out 0,$(POOL)),--pool) $(if $(AT_ONCE),--at-once $(AT_ONCE))

leaderboard: $(READY) ## Compare experiments: a table here, and reports/leaderboard.html; SWEEP=capstone, BY=cost
	@python -m flows.leaderboard $(if $(SWEEP),--sweep "$(SWEEP)") $(if $(BY),--by "$(BY)")

promote: $(READY) ## Make the network that lies here champion and baseline, if the gate says so; commit, tag; NAME=wider
	@python -m flows.promote $(NAME)

rollback: $(READY) ## Make an earlier version the champion of the model registry again; VERSION=v1 REASON="…"
	@test -n "$(VERSION)" -a -n "$(REASON)" || { echo 'error: make rollback VERSION=v1 REASON="why"; there were:'; \
		python -m tasks.registry history; exit 1; }
	@python -m tasks.registry rollback "$(VERSION)" --reason "$(REASON)"

import-run: $(READY) ## Make an experiment of DIR, which `python -m bench.gpu` filled on another machine; NAME=far
	@test -n "$(DIR)" || { echo "error: name the folder, as in make import-run DIR=/path/to/far"; exit 1; }
	@python -m flows.import_run "$(DIR)" $(if $(NAME),--experiment "$(NAME)")

doctor: $(READY) ## Say whether this machine can train, and what to mend; REQUIRE_GPU=1 needs a GPU
	@python -m flows.doctor $(if $(filter-out 0,$(REQUIRE_GPU)),--require-gpu)

server: $(READY) ## Start a Prefect server on this machine, with its pages
	@prefect server start

remote: $(READY) ## Set DVC's remote to URL=s3://bucket/prefix or a shared folder, and prove it; ENDPOINT=… for MinIO
	@test -n "$(URL)" || { echo "error: name the remote, as in make remote URL=s3://bucket/prefix"; exit 1; }
	@python -m flows.remote "$(URL)" $(if $(ENDPOINT),--endpoint "$(ENDPOINT)")

deploy worker: export PREFECT_API_URL ?= http://127.0.0.1:4200/api

deploy: $(READY) ## Bring work pool, deployments and automations to the Prefect server
	@python -m flows.deploy

worker: $(READY) ## Start a worker, which runs one flow at a time on this machine
	@exec python -c 'import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp("prefect", \
		"prefect worker start --pool gpu --type process --limit 1 --with-healthcheck".split())'

test: lint ## Lint, types and all tests, in two processes: much of the time, one of them waits
	@python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

reliability: $(READY) ## Break what can break, in tests, and write docs/reliability.md
	@python -m pytest -m fault --reliability=docs/reliability.md

audit: $(READY) ## Look for known holes in the locked packages (asks PyPI, or ADVISORIES=… of an OSV mirror), and for risky code in ours
	@bandit --quiet --recursive --severity-level medium model tasks flows serve bench
	@pip-audit --requirement $(LOCK) --require-hashes --disable-pip --strict --progress-spinner off \
		$(if $(ADVISORIES),--vulnerability-service osv --osv-url "$(ADVISORIES)")

browser: $(READY) ## Bring Chromium for the tests of the page: Debian's where that may be installed, else Playwright's own
	@command -v chromium >/dev/null || \
		{ test "$$(id -u)" = 0 && apt-get install --yes --quiet --no-install-recommends chromium >/dev/null 2>&1; } || \
		python -m playwright install chromium

lint: $(READY) ## Lint and types alone
	@ruff check .
	@ruff format --check .
	@mypy

lock: $(READY) ## Resolve the ranges of pyproject.toml anew
	@for extra in cpu gpu; do \
		uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet --group dev \
			--extra $$extra pyproject.toml --output-file requirements$$(test $$extra = cpu || echo -gpu).lock; \
	done

clean: ## Remove what a run leaves, but for the data and DVC's cache
	rm -rf outputs plots dvc_plots reports .backup .downloads .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
