"""Which labels the answer to a PromQL query has; an error if a query asks for labels that are not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import promql_parser as promql

Labels = frozenset[str]
NO_LABELS: Labels = frozenset()


class UnknownLabel(AssertionError):
    """A query asks for a label that its series don't have."""


class LabelsOf:
    """`of(expression)`: the labels of its answer. `stored(name)`: those of a stored or recorded series."""

    def __init__(self, stored: Callable[[str], Labels]) -> None:
        self._stored = stored
        self._kinds: dict[type, Callable[[Any], Labels | None]] = {
            promql.NumberLiteral: lambda _: None,
            promql.StringLiteral: lambda _: None,
            promql.VectorSelector: self._selected,
            promql.MatrixSelector: lambda node: self._selected(node.vector_selector),
            promql.AggregateExpr: self._aggregated,
            promql.BinaryExpr: self._combined,
            promql.Call: self._called,
            promql.ParenExpr: lambda node: self._of(node.expr),
            promql.SubqueryExpr: lambda node: self._of(node.expr),
            promql.UnaryExpr: lambda node: self._of(node.expr),
        }

    def of(self, expression: str) -> Labels:
        """Raises UnknownLabel; KeyError for a series that is not known."""
        return self._of(promql.parse(expression)) or NO_LABELS

    def _of(self, node: Any) -> Labels | None:
        """None: a number or a string, which has no labels to match."""
        return self._kinds[type(node)](node)

    def _selected(self, node: Any) -> Labels:
        return _known({one.name for one in node.matchers.matchers}, self._stored(node.name), node)

    def _aggregated(self, node: Any) -> Labels:
        inner = self._of(node.expr) or NO_LABELS
        if node.modifier is None:
            return inner if str(node.op) in ("topk", "bottomk") else NO_LABELS
        named = frozenset(node.modifier.labels)
        _known(named, inner, node)
        return named if node.modifier.type == promql.AggModifierType.By else inner - named

    def _combined(self, node: Any) -> Labels | None:
        left, right = self._of(node.lhs), self._of(node.rhs)
        if left is None or right is None:
            return left if right is None else right
        if str(node.op) == "or":
            return left & right
        if node.modifier is None or node.modifier.matching is None:
            if left != right:
                raise UnknownLabel(f"never match, {sorted(left)} and {sorted(right)}: {node}")
            return left
        return _matched(node, left, right)

    def _called(self, node: Any) -> Labels | None:
        name, arguments = node.func.name, [self._of(one) for one in node.args]
        if name in ("scalar", "time"):
            return None
        if name in ("vector", "absent"):
            return NO_LABELS
        labels = next(one for one in arguments if one is not None)
        if name == "label_replace":
            return _known({node.args[3].val}, labels, node) | {node.args[1].val}
        if name == "histogram_quantile":
            return _known({"le"}, labels, node) - {"le"}
        return labels


def _matched(node: Any, left: Labels, right: Labels) -> Labels:
    """The labels of two sides that are matched `on` or `ignoring` some."""
    named = frozenset(node.modifier.matching.labels)
    _known(named, left, node)
    _known(named, right, node)
    if str(node.op) in ("and", "unless"):
        return left
    many = {"ManyToOne": left, "OneToMany": right}.get(str(node.modifier.card).rsplit(".", 1)[-1])
    if many is not None:
        return many | frozenset(node.modifier.group_labels or ())
    on = node.modifier.matching.type == promql.LabelModifierType.Include
    return named if on else left - named


def _known(asked: set[str] | Labels, labels: Labels, node: Any) -> Labels:
    """`labels`, where all that are asked for are among them."""
    if unknown := set(asked) - labels:
        raise UnknownLabel(f"{sorted(unknown)} not among {sorted(labels)}: {node}")
    return labels
