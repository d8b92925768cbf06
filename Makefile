# The only commands to remember: run  test  soak  check  fix  bench  screens  simulate
# PYTHON=python3.12   another Python      PORT=8000 VAR=var OPEN=1   for run      TORCH=cpu|cuda   which build of torch
# WORKERS=2   so many processes share the Python tests, each with servers of its own; 0: one after another, in this one

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
FRONTEND := annotator_frontend
WITH_NODE = PATH="$$($(PYTHON) -m backend.launch.install node-path)"
export PYTHONDONTWRITEBYTECODE := $(PYTHONDONTWRITEBYTECODE)

.PHONY: run test soak check fix bench screens simulate has-data dev

run:
	@$(PYTHON) -m backend.launch.install run && exec $(BIN)/python -m backend.launch

dev:
	@$(PYTHON) -m backend.launch.install dev

test: dev
	@$(WITH_NODE) && cd $(FRONTEND) && npm run --silent test
	@$(BIN)/python -m pytest -m "not soak" -n $(WORKERS) --dist loadscope --no-loadscope-reorder

soak: dev
	@$(BIN)/python -m pytest -m soak

check: dev
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(WITH_NODE) && cd $(FRONTEND) && npm run --silent check
	@$(BIN)/python -m tests.checks --texts

fix: dev
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	@$(BIN)/python -m tests.checks --write
	@$(WITH_NODE) && cd $(FRONTEND) && npm run --silent fix

bench: dev
	@$(BIN)/python -m tests.bench

# DATA=FOLDER OUT=FOLDER SIMULATION="--images 100 ..."; what there is to set: manage.py simulate --help
OUT ?= var/simulation
simulate: has-data dev
	@$(BIN)/python manage.py simulate --data $(DATA) --out $(OUT) $(SIMULATION)

has-data:
	@test -n "$(DATA)" || { echo "Which photos? make simulate DATA=FOLDER, with images/ID.jpg and masks/ID.png: see README, The engine alone." >&2; exit 2; }

screens: dev
	@$(BIN)/python -m tests.screens
