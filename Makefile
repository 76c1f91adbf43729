# `make run` serves the assistant, `make test` runs every check; both set up and train what is not there yet.
.DELETE_ON_ERROR:
.PHONY: setup train run test lint format benchmark audit

PORT ?= 5005
IN = PATH="$(CURDIR)/.venv/bin:$$PATH"
MODEL = models/assistant.tar.gz
DATA = $(shell find data -name '*.yml') config.yml domain.yml

run: train widget/dist
	@echo "Starting the assistant (about ten seconds) ..."
	@$(IN) honcho --no-colour start --no-prefix -p $(PORT) -f deploy/Procfile

train: $(MODEL)

setup: models/.built widget/dist

test: train widget/dist lint
	$(IN) python -m assistant data validate --fail-on-warnings > var/validate.log 2>&1 || { tail -n 20 var/validate.log; exit 1; }
	$(IN) python -m assistant test core --stories data --out results/core --fail-on-prediction-errors > var/core.log 2>&1 || { tail -n 20 var/core.log; exit 1; }
	$(IN) python -m pytest -q -n 2 --dist loadfile tests/unit tests/nlu tests/conversations tests/channels
	$(IN) python -m pytest -q tests/faults tests/scale
	$(IN) python -m pytest -q tests/browser

lint: .venv/.synced
	$(IN) ruff check .
	$(IN) ruff format --check .
	$(IN) mypy

benchmark: train
	@for name in training understanding footprint turns throughput layers page; do \
		$(IN) RASA_TELEMETRY_ENABLED=false python -W ignore -m benchmarks.$$name 2> var/benchmark.log || { tail -n 30 var/benchmark.log; exit 1; }; \
	done

audit: .venv/.synced
	@$(IN) python deploy/audit.py

format: .venv/.synced
	$(IN) ruff check --fix .
	$(IN) ruff format .

$(MODEL): models/.built $(DATA) $(wildcard assistant/nlu/*.py)
	@mkdir -p var
	@echo "Training the assistant (about two minutes) ..."
	@$(IN) LOG_LEVEL=ERROR python -m assistant train --skip-validation --fixed-model-name assistant > var/train.log 2>&1 || { tail -n 30 var/train.log; exit 1; }
	@touch $@

widget/dist: .venv/.synced widget/build.mjs widget/package-lock.json $(shell find widget/src widget/demo -type f)
	@echo "Building the chat widget ..."
	@$(IN) python -m widget build
	@touch $@

models/.built: .venv/.synced assistant/nlu/encoder.py assistant/nlu/vocabulary.py $(wildcard data/lookups/*.yml) $(wildcard data/articles/*/article.yml)
	@echo "Building the sentence encoder and the vocabulary ..."
	@mkdir -p models && $(IN) python -m assistant build
	@touch $@

.venv/.synced: uv.lock deploy/setup
	@deploy/setup
