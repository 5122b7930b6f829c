# Each command installs what it needs; `make` alone lists them.
PYTHON ?= python3
PY := .venv/bin/python
UV := .uv/bin/uv

# uv trusts its own list of authorities unless asked; a company's proxy is in the system's.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt),)
export UV_SYSTEM_CERTS ?= 1
endif

.PHONY: help demo up test judges check bench verifier format clean
help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: .venv/.ready  ## the main job on embedded parts, for one past hour
	@$(PY) -m simulators.demo

up: .venv/.ready  ## the same parts with the Airflow UI; Ctrl-C ends all of it
	@$(PY) -m simulators.up

test: .venv/.ready  ## all tests but the judges, fast ones first; a second process has the end-to-end tests
	$(PY) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

judges: .venv/.ready  ## tests that need servers and clients which are not ours
	$(PY) -m pytest -m judge

check: .venv/.ready  ## format, lint, types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	.venv/bin/lint-imports
	$(PY) -m mypy

bench: .venv/.ready  ## benchmarks, side by side with what a user would otherwise use
	$(PY) -m tests.benchmarks $(ARGS)

verifier: .venv/.ready  ## dist/: job-history-verify and job-history-watch, which need nothing but Python
	$(PY) -m job_history_verify.pack dist
	$(UV) build --quiet --wheel --no-build-isolation --python $(PY) --out-dir dist include/job_history_verify

format: .venv/.ready  ## write the format that `make check` asks for
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

clean:  ## delete the environment and all local state
	rm -rf .venv .uv .state dist

.venv/.ready: requirements.lock pyproject.toml | $(UV)
	@echo "Setting up .venv from requirements.lock ..."
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --require-hashes --python $(PY) requirements.lock
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

$(UV): requirements-uv.txt
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-uv.txt
	@touch $@

# After a change of a direct requirement, write the lock again.
requirements.lock: requirements.txt requirements-dev.txt | $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --output-file requirements.lock requirements-dev.txt
