# The doors of the course. GNU make 3.81 is enough.
# Each one first sees to what it needs (tools/setup.py); what is there and good is left alone.
#
#   ONLY=05       one chapter with its exercises and checks
#   WORKERS=0     the tests one after the other, not in processes side by side; only such a run
#                 times the notebooks for their readers
#   ENGINE=none   no container engine: its cells and tests are left out, and counted
#   REPOSITORY=…  the address that the site's links to sources and Binder lead to
#   SITE_URL=…    the address that readers will know the site by: for its sitemap, its cards, its 404
#   PYTHON=…      the Python to make .venv with, where python3 is not 3.11 to 3.13

PYTHON ?= python3
# Two cores keep three workers busy, because tests also wait; the checks of one chapter mostly do.
WORKERS ?= $(if $(ONLY),4,3)
setup := @$(PYTHON) tools/setup.py apt venv
python := .venv/bin/python
pytest := .venv/bin/pytest -n $(WORKERS)
engine := engine
images := images
ifeq ($(ENGINE),none)
engine :=
images :=
endif

ifneq ($(ONLY),)
notebooks := $(sort $(wildcard chapters/$(ONLY)-*.ipynb exercises/$(ONLY)-*.ipynb))
ifeq ($(notebooks),)
$(error ONLY=$(ONLY) is no chapter: give its two digits. There are: $(sort $(notdir $(basename $(wildcard chapters/[0-9]*.ipynb)))))
endif
stem := $(firstword $(notdir $(basename $(notebooks))))
checks := $(wildcard tests/lab/checks/test_$(subst -,_,$(patsubst $(ONLY)-%,%,$(stem))).py)
only := --only $(ONLY)
endif

.PHONY: help lab test site notebooks prove links lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

lab: ## set everything up, run a first container, open JupyterLab on the first chapter
	$(setup) $(engine) $(images)
	@$(python) tools/notebooks.py student --into learn
	@$(python) tools/start.py

test: ## lint, unit tests, all notebooks, the site in a browser; ONLY=05 is one chapter
ifeq ($(ONLY),)
	$(setup) $(engine) browser $(images)
	@CHROMIUM="$$(cat _build/browser)" $(pytest)
else
	$(setup) $(engine) $(images)
	@found=0; $(python) tools/notebooks.py check $(only) || found=1; \
	  $(pytest) $(checks) $(notebooks) && exit $$found
endif

site: ## build the book to read into _build/html; needs no engine
	$(setup)
	@$(python) tools/site.py

notebooks: ## run the notebooks and store their outputs; ONLY=05 is one chapter, RENEW=1 takes new figures
	$(setup) $(engine) $(images)
	@$(python) tools/notebooks.py run $(only) $(if $(RENEW),--renew)

prove: ## every notebook twice, alone, in any order, eight learners at once, with no network; takes minutes
	$(setup) $(engine) $(images)
	@$(python) tools/prove.py $(only)

links: ## ask every link that leads out of the course; needs the Internet
	$(setup)
	@$(python) tools/site.py
	@$(python) tools/links.py

lint: ## everything that a program can check without running the course
	$(setup)
	@.venv/bin/pre-commit run --all-files

clean: ## remove what you started on the engine, _build and caches; learn/ and .venv stay
	@if [ -x .venv/bin/lab ]; then .venv/bin/lab clean || echo "Nothing was removed from the engine."; fi
	@for made in _build .mypy_cache .pytest_cache .ruff_cache *.egg-info; do \
	  if [ -e "$$made" ]; then rm -rf "$$made" && echo "Removed $$made."; fi; done
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
