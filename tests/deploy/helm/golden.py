"""Checked-in renders of each value set. Update: make generated"""

from __future__ import annotations

from pathlib import Path

from tests.deploy.helm.chart import SETS, render, values

FOLDER = Path(__file__).parent / "golden"


def text(name: str) -> str:
    """A value set's manifests in one file, each with its template's name."""
    parts = [
        f"# {template}\n{rendered.strip().removeprefix('---').strip()}\n"
        for template, rendered in render(values(name)).items()
        if template.endswith(".yaml") and rendered.strip()
    ]
    return "---\n".join(parts)


def notes(name: str) -> str:
    """The notes shown after the installation."""
    return render(values(name))["NOTES.txt"].strip() + "\n"


def main() -> None:
    """Write the files of all value sets."""
    for name in SETS:
        (FOLDER / f"{name}.yaml").write_text(text(name))
        (FOLDER / f"{name}.notes.txt").write_text(notes(name))


if __name__ == "__main__":
    main()
