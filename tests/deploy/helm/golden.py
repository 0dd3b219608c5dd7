"""What each value set renders to, checked in. Renew: make generated"""

from __future__ import annotations

from pathlib import Path

from tests.deploy.helm.chart import SETS, render, values

FOLDER = Path(__file__).parent / "golden"


def text(name: str) -> str:
    """A value set's manifests in one file, each template's name before them."""
    parts = [
        f"# {template}\n{rendered.strip().removeprefix('---').strip()}\n"
        for template, rendered in render(values(name)).items()
        if template.endswith(".yaml") and rendered.strip()
    ]
    return "---\n".join(parts)


def notes(name: str) -> str:
    """What an operator reads after the installation."""
    return render(values(name))["NOTES.txt"].strip() + "\n"


def main() -> None:
    """Write all of them."""
    for name in SETS:
        (FOLDER / f"{name}.yaml").write_text(text(name))
        (FOLDER / f"{name}.notes.txt").write_text(notes(name))


if __name__ == "__main__":
    main()
