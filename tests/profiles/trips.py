"""A table of trips by month, of which each run says how many rows it has and how its miles are spread."""

from __future__ import annotations

from typing import Any

from tests.notebooks import contract
from tests.workspace import monthly

TABLE = "silver.trips"
YEAR = {"column": "month", "start": "2013-01", "end": "2013-12"}
COLUMNS = {
    "month": {"type": "string", "nullable": False},
    "id": {"type": "bigint", "nullable": False},
    "miles": "double",
    "code": "string",
    "guest": {"type": "string", "personal": True},
}
MONTHS = [f"2013-{number:02d}" for number in range(1, 9)]
MILES = "100 + 10 * randn(7)"
TRIPS = """
df = lake.spark.sql(f'''
    select m as month, id, {miles} as miles, if(id % 3 = 0, 'taxi', 'bus') as code, concat('Ada ', id) as guest
    from range({rows}) lateral view explode(array({", ".join(repr(str(key)) for key in months)})) t as m
''')
"""


def trips(rows: int = 400, miles: str = MILES) -> dict[str, Any]:
    """The notebook."""
    cells = [f"rows, miles = {rows}, {miles!r}", TRIPS, f'lake.write(df, "{TABLE}")']
    return {"silver/trips": monthly("silver/trips", *cells)}


def promise(version: int = 1, **profile: Any) -> dict[str, Any]:
    """Its contract."""
    more = {"profile": profile} if profile else {}
    return {TABLE: contract(TABLE, COLUMNS, key=["id", "month"], partitions=YEAR, version=version, **more)}
