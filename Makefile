# `make help` lists what there is. What is not there yet is set up and trained first.
.DELETE_ON_ERROR:
.PHONY: help run test check train setup lint format benchmark figures audit

# Compiling the libraries again at each start of a process takes longer than all that the process does.
unexport PYTHONDONTWRITEBYTECODE

PORT ?= 5005
IN = PATH="$(CURDIR)/.venv/bin:$$PATH"
PYTEST = $(IN) python -m pytest -q --no-header
MODEL = models/assistant.tar.gz
DATA = $(shell find data -name '*.yml') config.yml domain.yml

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: train widget/dist ## set up, train and serve; ends with the address to open
	@echo "Starting the assistant (about ten seconds) ..."
	@$(IN) honcho --no-colour start --no-prefix -p $(PORT) -f deploy/Procfile

test: train widget/dist lint ## every check
	@echo "Words, understanding, conversations and channels (two at a time) ..."
	@$(PYTEST) -n 2 --dist loadfile tests/data tests/unit tests/nlu tests/conversations tests/channels
	@echo "Outages and several servers; browsers beside them ..."
	@$(PYTEST) tests/browser > var/browser.log 2>&1 & browser=$$!; \
	$(PYTEST) tests/faults tests/scale; failed=$$?; \
	wait $$browser || failed=$$?; cat var/browser.log; exit $$failed

check: train ## what an editor breaks: data, answers and their facts, signs of emergencies, conversations
	@$(PYTEST) -n 2 --dist loadfile tests/data tests/conversations

train: $(MODEL) ## the model, where it is older than its data

setup: models/.built widget/dist ## everything but the model

lint: .venv/.synced ## style, types and the direction of imports
	$(IN) ruff check .
	$(IN) ruff format --check .
	$(IN) mypy
	$(IN) lint-imports --no-logo

benchmark: train ## measure, beside Rasa's default pipeline
	@deploy/setup benchmarks/default 3.10 || echo "So only our own figures are measured, without Rasa's default beside them."
	@for name in training understanding footprint turns throughput layers page; do \
		$(IN) RASA_TELEMETRY_ENABLED=false python -W ignore -m benchmarks.$$name 2> var/benchmark.log || { tail -n 30 var/benchmark.log; exit 1; }; \
	done

figures: .venv/.synced ## take what was measured last into the committed results and the tables that tell of them
	@$(IN) python -m benchmarks.figures

audit: .venv/.synced ## known vulnerabilities of what is locked
	@$(IN) python deploy/audit.py

format: .venv/.synced ## let ruff write the style
	$(IN) ruff check --fix .
	$(IN) ruff format .

$(MODEL): models/.built $(DATA) $(wildcard assistant/nlu/*.py) clinic/articles.py
	@mkdir -p var
	@echo "Training the assistant (about five minutes) ..."
	@$(IN) LOG_LEVEL=ERROR python -m assistant train --skip-validation --fixed-model-name assistant > var/train.log 2>&1 || { tail -n 30 var/train.log; exit 1; }
	@touch $@

widget/dist: .venv/.synced widget/build.mjs widget/package-lock.json $(shell find widget/src widget/pages -type f)
	@echo "Building the chat widget ..."
	@$(IN) python -m widget build
	@touch $@

models/.built: .venv/.synced assistant/nlu/encoder.py assistant/nlu/vocabulary.py $(wildcard data/lookups/*.yml) $(wildcard data/articles/*/article.yml)
	@echo "Building the sentence encoder and the vocabulary ..."
	@mkdir -p models && $(IN) python -m assistant build
	@touch $@

.venv/.synced: uv.lock deploy/setup
	@deploy/setup
