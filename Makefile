# Each target creates or updates .venv first. `make help` lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.requirements
REQUIREMENTS := -r requirements.txt -r requirements-dev.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
SOURCES := components functions emulator retrain package docs examples tests __main__.py

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

define RETRAIN
#!/bin/sh
# Run the command line of the folder that contains the .venv through which this file is called.
# `make` wrote it. .venv may be a symbolic link, and a symbolic link may lead to this file.
file=$$0
while [ -h "$$file" ]; do
    target=$$(readlink "$$file")
    case $$target in /*) file=$$target ;; *) file=$$(dirname "$$file")/$$target ;; esac
done
folder=$$(CDPATH= cd -- "$$(dirname -- "$$file")/../.." && pwd) || exit
PYTHONPATH=$$folder exec "$$folder/.venv/bin/python" -P -m retrain "$$@"
endef
export RETRAIN

# Python keeps what it has compiled, also where the shell forbids it: the tests start many processes.
export PYTHONDONTWRITEBYTECODE :=

# Create .venv again if its Python is too old or no longer installed.
ifneq ($(shell $(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null && echo usable),usable)
.PHONY: $(READY)
endif

# pip installs uv, and uv installs the rest, because pip would take a minute. uv does not read pip's
# configuration, which may name a company's index: then pip installs the rest too.
$(READY): requirements.txt requirements-dev.txt
	@$(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null || { \
		$(PYTHON) -c '$(NEW_ENOUGH)' || \
			{ echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version); try: make PYTHON=python3.12"; exit 1; }; \
		[ ! -e .venv ] || echo "creating .venv again: its Python is older than 3.11, or no longer there" >&2; \
		$(PYTHON) -m venv --clear .venv; }
	@echo "installing the requirements into .venv (once)" >&2
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt | $(INSTALL) -r /dev/stdin
	@$(BIN)/python -m uv pip install --python $(BIN)/python --quiet --require-hashes $(REQUIREMENTS) || \
		$(INSTALL) $(REQUIREMENTS)
	@printf '%s\n' "$$RETRAIN" > $(BIN)/retrain && chmod +x $(BIN)/retrain
	@touch $@

.PHONY: install demo test check engine aws aws-clean lint types workflow mutants faults benchmark pictures dist address requirements help

install: $(READY) ## create or update .venv, and write .venv/bin/retrain
	@echo "$(BIN)/retrain is ready"

demo: $(READY) ## run the sample stack on an emulator of AWS, and let two things go wrong
	@$(BIN)/python -m retrain rehearse --stack dev --scenario happy-path \
		--scenario truncated-export --scenario worse-model

test: $(READY) ## run the tests
	@$(BIN)/python -m pytest -n 3 --quiet

check: lint types test ## run lint, types and tests: all of it has to pass before a commit

engine: $(READY) ## run the program on the real Pulumi engine (builds the CLI once, with Go)
	@$(BIN)/python tests/engine/cli/tools.py >/dev/null; case $$? in \
		0) $(BIN)/python -m pytest -n 3 --quiet tests/engine ;; \
		3) echo "the tests of the engine are skipped" ;; \
		*) exit 1 ;; \
	esac

AWS := $(BIN)/python -m tests.aws

aws: $(READY) ## try the program on AWS, LEVEL=deploy, run or facts, in REGION (costs money, asks first)
	@$(AWS) $(LEVEL) $(if $(REGION),--region $(REGION)) $(if $(PRICE),--price $(PRICE)) $(if $(filter 1,$(YES)),--yes)

aws-clean: $(READY) ## remove what tries on AWS have left in REGION (asks first)
	@$(AWS) clean $(if $(REGION),--region $(REGION)) $(if $(filter 1,$(YES)),--yes)

lint: $(READY) ## check style and format
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)

types: $(READY) ## check types
	@$(BIN)/mypy

workflow: $(READY) ## print the state machine of the sample stack
	@$(BIN)/python -m docs.state_machine

mutants: $(READY) ## change the code at random for 30 minutes and see if the tests notice
	@$(BIN)/python -m tests.mutants

faults: $(READY) ## test other random cases, and many more of them, than the tests do (some minutes)
	@$(BIN)/python -m pytest -n 3 --quiet -m hypothesis --hypothesis-profile=random
	@STORIES=200 WEEKS=104 $(BIN)/python -m pytest -n 3 --quiet \
		tests/workflow/test_sequences.py

benchmark: $(READY) ## replay good runs in virtual time: delays, transitions, calls, cost
	@$(BIN)/python -m tests.benchmarks.replay

pictures: $(READY) ## draw the pictures of the pages again, from a rehearsal
	@$(BIN)/python -m docs.pictures

dist: $(READY) ## build a release, check it, and install it with each extra into an empty environment
	@rm -rf dist
	@$(BIN)/python -m build
	@$(BIN)/python -m twine check --strict dist/*
	@$(BIN)/python -m tests.package.release dist

# Python reads URL from the environment, to which make adds the variables of its command line. A shell
# would split it at a space, and run what stands behind a semicolon.
address: $(READY) ## set the address of the repository everywhere: make address URL=https://...
	@$(BIN)/python -m docs.address

requirements: $(READY) ## compile the requirements from their .in files and constraints.txt
	@for name in requirements requirements-dev; do \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
			--generate-hashes --no-strip-extras $$name.in -o $$name.txt || exit 1; \
	done

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
