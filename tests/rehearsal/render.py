"""Prints the chart's objects, with `values.yaml` beside this file, as JSON. Runs where helm_python is."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.deploy.helm.chart import parse, render

if __name__ == "__main__":
    values = yaml.safe_load(Path(__file__).with_name("values.yaml").read_text())
    print(json.dumps(parse(render(values))))
