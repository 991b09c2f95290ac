# Everything runs from .venv, which is made from the lock file the first time and whenever that changes.
# `make up ARGS="--port 8080"` hands arguments on; `make PYTHON=python3.13 …` chooses the Python of a new .venv.

PYTHON ?= python3
ARGS   ?=
BIN    := .venv/bin
READY  := .venv/.installed

.PHONY: help up demo test check bench heavy long fuzz audit lock clean

help:
	@echo "make up      the gateway and its dashboard, on http://127.0.0.1:4141"
	@echo "make demo    the main job on real input, in about a minute"
	@echo "make test    the tests, a few minutes"
	@echo "make check   style, types and import layers"
	@echo "make bench   what the gateway costs, as JSON in bench/out and as tables (needs nginx and wrk)"
	@echo "make heavy   installs torch, transformers, ONNX and Ray too, and runs the tests that need them"
	@echo "make fuzz    an hour of fuzzing by coverage: the wire, the scanners, the importers (installs atheris)"
	@echo "make audit   known holes in what the lock file names (asks a database of advisories)"
	@echo "make long    deep statistics, fuzzing, soak, and 10,000 interleavings with kill -9"
	@echo "make lock    resolve the lock file anew"

up: $(READY)
	$(BIN)/demitasse up $(ARGS)

demo: $(READY)
	$(BIN)/demitasse demo $(ARGS)

test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(READY)
	$(BIN)/ruff check src tests bench fuzz
	$(BIN)/ruff format --check src tests bench fuzz
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	@command -v wrk >/dev/null || { echo "wrk is missing; on Debian: apt-get install wrk nginx-light"; exit 1; }
	$(BIN)/python -m bench.gateway --soak 100000 $(ARGS)
	$(BIN)/python -m bench.ledger
	$(BIN)/python -m bench.http_client
	$(BIN)/python -m bench.engine

# torch first and by itself: its plain CPU build is enough here, and what follows takes what it finds.
heavy: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,onnx,transformers,ray]'
	$(BIN)/pytest tests/lab tests/docs/test_students_page.py $(ARGS)
	$(BIN)/pytest -m long --timeout 600 tests/providers/test_engine_transformers.py tests/lab/test_executor_ray.py \
		tests/build/test_recordings.py $(ARGS)

long: $(READY)
	$(BIN)/pytest -m long --timeout 3600 $(ARGS)
	$(BIN)/python -m tests.faults.crash --seed 7 --interleavings 10000

fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python -m fuzz --seconds 3600 --seed 7 --json bench/results/fuzz.json $(ARGS)

# In an environment of its own: what audits is no dependency.
audit:
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv/audit/bin/python bench/pins.py requirements.lock $(ARGS)

lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--extra local --group dev --output-file requirements.lock $(ARGS) pyproject.toml

clean:
	rm -rf .venv bench/out .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.13"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || $(PYTHON) -m virtualenv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)
