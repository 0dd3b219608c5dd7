"""Panels with a common style, and queries with legends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

SOURCE = DataSourceRef("prometheus", "${datasource}")
TAG = "til-queue"
Query = tuple[str, str]
"""(legend with {{label}} placeholders, PromQL)."""
Steps = Sequence[tuple[float | None, str]]
"""Thresholds: (lower bound, colour); the first bound is None."""


class Board:
    """A dashboard whose panels are placed from left to right, in lines of 24 columns."""

    def __init__(self, uid: str, title: str, description: str, since: str = "now-6h") -> None:
        self._ids = count(1)
        links = DashboardLink("til-queue").type(DashboardLinkType.DASHBOARDS).tags([TAG])
        self.dashboard = (
            Dashboard(title)
            .uid(uid)
            .description(description)
            .tags([TAG])
            .time(since, "now")
            .refresh("30s")
            .timezone("browser")
            .readonly()
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .link(links.as_dropdown(True).include_vars(True).keep_time(True))
            .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        )

    def row(self, title: str) -> None:
        """Start a row with a title."""
        self.dashboard.with_row(Row(title).id(next(self._ids)))

    def number(self, title: str, description: str, unit: str, query: str, steps: Steps = ()) -> None:
        """A panel with one number, the result of an instant query."""
        thresholds = [Threshold(value, color) for value, color in steps or [(None, "text")]]
        self.dashboard.with_panel(
            Stat()
            .id(next(self._ids))
            .title(title)
            .description(description)
            .datasource(SOURCE)
            .unit(unit)
            .span(4)
            .height(4)
            .no_value("no data")
            .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
            .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds))
            .with_target(Dataquery().expr(query).instant().ref_id("A").datasource(SOURCE))
        )

    def graph(self, title: str, description: str, unit: str, *queries: Query, span: int = 8) -> None:
        """A time series panel. Missing values are gaps, not zeros."""
        panel = (
            TimeSeries()
            .id(next(self._ids))
            .title(title)
            .description(description)
            .datasource(SOURCE)
            .unit(unit)
            .min(0)
            .span(span)
            .height(8)
            .fill_opacity(10)
            .line_width(1)
            .span_nulls(False)
            .legend(_legend())
            .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        )
        for letter, (legend, expression) in zip("ABCDEFGH", queries, strict=False):
            target = Dataquery().expr(expression).legend_format(legend).range().ref_id(letter)
            panel.with_target(target.datasource(SOURCE))
        self.dashboard.with_panel(panel)


def _legend() -> VizLegendOptions:
    return (
        VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .calcs(["lastNotNull"])
    )


def quantiles(
    metric: str, by: str = "", *, matchers: str = "", of: Sequence[float] = (0.5, 0.95)
) -> list[Query]:
    """One query for each quantile of a histogram; `by`: a label to group by."""
    labels, legend = (f"le, {by}", f"{{{{{by}}}}} ") if by else ("le", "")
    rate = f"sum by ({labels}) (rate({metric}_bucket{{{matchers}}}[$__rate_interval]))"
    return [(f"{legend}p{round(q * 100)}", f"histogram_quantile({q}, {rate})") for q in of]


def rate(metric: str, by: str, matchers: str = "") -> str:
    """Rate per second of a counter, summed over processes, grouped by labels."""
    return f"sum by ({by}) (rate({metric}{{{matchers}}}[$__rate_interval]))"
