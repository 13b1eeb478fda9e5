# make demo   set up, then forge, build, verify, load and draw a small dataset, train on another, print a table
# make test   set up, then lint, type-check and test, one process more than cores; SLOW=1 adds the slow tests, ARGS=... goes to pytest
PY ?= python3
BIN := .venv/bin
# uv does not read pip's configuration: hand it the local wheels and the certificates that pip knows of, if any.
LINKS := $(shell $(PY) -m pip config get global.find-links 2>/dev/null)
CERTS := $(shell $(PY) -m pip config list 2>/dev/null | sed -n "s/^global.cert='\(.*\)'$$/\1/p")
INSTALL = $(if $(CERTS),SSL_CERT_FILE="$(CERTS)" )$(BIN)/uv pip install -q --python $(BIN)/python $(if $(LINKS),--find-links "$(LINKS)") -c requirements.lock
# One more than there are cores: many tests wait for a server, a browser or a cluster.
JOBS ?= $(shell $(PY) -c 'import os; print((os.cpu_count() or 1) + 1)')
# Some images forbid it; then every process compiles all that it imports anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint clean
demo: .venv/ready
	$(BIN)/facevox demo

test: .venv/ready-test lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(if $(SLOW),,-m "not slow") $(ARGS)

lint: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/uv:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "facevox needs Python 3.11 or later: make PY=python3.11 ..."; exit 1; }
	$(PY) -m venv .venv || { echo "venv is missing: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	$(BIN)/python -m pip install -q --disable-pip-version-check uv

.venv/ready: pyproject.toml requirements.lock | .venv/bin/uv
	$(INSTALL) -e '.[forge]'
	@touch $@

# Type checkers do not see an editable install's import hook; a link in the environment shows them the package.
.venv/ready-test: .venv/ready
	$(INSTALL) -e '.[build,review,dev]'
	$(INSTALL) -e '.[fast]' || echo "pywuffs needs a C++ compiler; without it OpenCV decodes the PNGs"
	ln -sfn ../../../.. $(BIN)/../lib/$$(ls $(BIN)/../lib)/site-packages/facevox
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
