"""Lists in statements as one array each, so that a statement and its plan are the same for any length."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, all_, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute


def among(column: InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """`column = ANY (array)`."""
    return column == any_(literal(list(values), ARRAY(column.type)))


def not_among(column: InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """`column <> ALL (array)`."""
    return column != all_(literal(list(values), ARRAY(column.type)))
