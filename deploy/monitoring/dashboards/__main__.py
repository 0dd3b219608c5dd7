"""`python -m deploy.monitoring.dashboards`: write every dashboard to deploy/monitoring/grafana/dashboards."""

from __future__ import annotations

from deploy.monitoring.dashboards.files import FOLDER, all_dashboards


def main() -> None:
    """Write the files and print their paths."""
    for name, text in all_dashboards().items():
        (FOLDER / name).write_text(text)
        print(FOLDER / name)


if __name__ == "__main__":
    main()
