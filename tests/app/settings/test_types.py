from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from app.settings.types import TABLE, Name, Seconds


class Table(BaseModel):
    model_config = TABLE

    limit: Seconds = 1.0
    name: Name = "joe"


@pytest.mark.parametrize(
    ("given", "seconds"), [(2, 2.0), (0.5, 0.5), ("1500ms", 1.5), ("2", 2.0), ("0.25", 0.25), ("5m", 300.0)]
)
def test_a_duration_may_be_a_number_or_a_text(given: object, seconds: float) -> None:
    assert seconds == Table.model_validate({"limit": given}).limit


@pytest.mark.parametrize("given", ["soon", "5 parsecs", None, [], "1e400s"])
def test_anything_else_is_no_duration(given: object) -> None:
    with pytest.raises(ValidationError, match="a duration such as 500ms, 30s or 5m"):
        Table.model_validate({"limit": given})


def test_a_table_knows_its_names_and_is_not_changed() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Table.model_validate({"colour": "red"})
    with pytest.raises(ValidationError, match="at least 1 character"):
        Table.model_validate({"name": ""})
    with pytest.raises(ValidationError, match="frozen"):
        Table().limit = 2.0
