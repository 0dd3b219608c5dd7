# What checks and renders the deployments, apart from the product: Python tools (checkov apart: it brings an HCL parser
# of its own), the Google provider's schema out of a wheel, and Debian's Prometheus programs, unpacked, not installed.

DEPLOY_PIP = .venv-deploy/bin/python $(PIP_INSTALL)
PROVIDER = cdktn-provider-google==21.1.0
DEBIAN_TOOLS = prometheus prometheus-alertmanager prometheus-node-exporter

.venv-deploy/.ready: requirements/deploy.txt requirements/deploy-checkov.txt requirements/deploy.mk
	$(PYTHON) -m venv .venv-deploy
	$(DEPLOY_PIP) -r requirements/deploy.txt
	$(PYTHON) -m venv .venv-deploy/checkov
	.venv-deploy/checkov/bin/python $(PIP_INSTALL) -r requirements/deploy-checkov.txt
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --dest .venv-deploy $(PROVIDER)
	$(PYTHON) requirements/provider_schema.py .venv-deploy/cdktn_provider_google-*.whl .venv-deploy/provider.jsii
	requirements/debian-tools.sh .venv-deploy/debian $(DEBIAN_TOOLS)
	@touch $@
