# make demo       install, run a small three-moons study, print the path of its page
# make test       lint, types and the quick tests          make test-all   the slow ones too
# make bench      the benchmarks of speed and memory that run without a GPU
PYTHON ?= python3
VENV ?= .venv
OUT ?= out/demo
WORKERS ?= 2
BIN := $(VENV)/bin
SPEED := generation regbench_generation regbench_metrics story_generation moons_step mosaic_step retrieval long_context report
THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo test test-all lint bench clean

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[train]"
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]"
	touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	$(BIN)/mosaicbench study three-moons --preset demo --out $(OUT)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(THREADS) $(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-all: lint
	$(THREADS) $(BIN)/python -m pytest -n $(WORKERS)

bench: $(VENV)/.test
	for name in $(SPEED); do echo "== $$name"; $(BIN)/mosaicbench bench $$name || exit 1; done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
