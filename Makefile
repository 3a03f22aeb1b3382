# Every target does its own set-up: on a fresh Debian machine `make demo` or `make test` is enough.

VENV ?= .venv
WORKERS ?= 2
FUZZ_SECONDS ?= 3600
SIMULATORS ?= .venv-simulators
BIN := $(abspath $(VENV))/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test fuzz robustness bench simulators screenshots docs lint types cmake-lists clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## Make the virtual environment and check the system's libraries
	@scripts/system_libraries.sh
	@scripts/virtual_environment.sh "$(VENV)"

demo: setup ## From an example cohort to steered thyroids and a report, in demo/
	PATH="$(BIN):$$PATH" scripts/demo.sh

test: lint types ## Check style and types, then run all tests that need no Slicer application
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
	@echo "make test: style, types and tests passed."

fuzz: setup ## Try bad files and options on every command for an hour, or FUZZ_SECONDS
	$(BIN)/python Testing/fuzzing/run.py --seed $$(date +%s) --seconds $(FUZZ_SECONDS)

robustness: setup ## Kill commands at random moments and start them twice at once, for an hour or two
	nice $(BIN)/python Testing/Robustness/run.py

bench: setup ## Measure speed: decoding, training, preparing
	$(BIN)/python Testing/Benchmarks/run.py

simulators: setup ## Install simulators, run them on phantoms and check their figures, in Testing/artefacts/
	$(BIN)/python Testing/Simulators/run.py --environments "$(SIMULATORS)"

screenshots: setup ## Draw the panel beside the four views, in Testing/artefacts/screenshots/
	$(BIN)/python Testing/screenshots.py

docs: setup ## Build the documentation site, in docs/_build/html/
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

lint: setup ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Check types
	$(BIN)/python -m mypy

cmake-lists: setup ## Name every file of the module in its CMakeLists.txt
	$(BIN)/python scripts/cmake_lists.py

clean: ## Remove the virtual environment and everything the other targets wrote
	rm -rf "$(VENV)" "$(SIMULATORS)" demo Testing/artefacts docs/_build build .pytest_cache .ruff_cache .mypy_cache ThyroidSynth/*.egg-info
	find ThyroidSynth ThyroidSynthTrain Testing scripts -name __pycache__ -type d -prune -exec rm -rf {} +
