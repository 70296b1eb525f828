from __future__ import annotations

import pytest

from lakehouse.errors import UnknownName
from lakehouse.training.which import Which


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("flight_delay/7", 7),
        ("models.flight_delay/7", 7),
        ("models/flight_delay@challenger", "challenger"),
        ("flight_delay@champion", "champion"),
        ("flight_delay", "champion"),
    ],
)
def test_a_version_is_named_by_number_or_alias(text: str, version: int | str) -> None:
    found = Which.parse(text)
    assert (found.model.dotted, found.version) == ("models.flight_delay", version)


@pytest.mark.parametrize("text", ["", "flight_delay/", "flight_delay/x", "flight_delay@", "Flight", "silver.flights/7/8", "a b"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(UnknownName, match="names no version of a model") as caught:
        Which.parse(text)
    assert "flight_delay/7" in caught.value.hint
