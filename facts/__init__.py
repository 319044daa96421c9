"""What the course claims: typed tables, each figure with where and when it was measured or read.

Example:
    >>> from facts import load_facts
    >>> load_facts().claims.rows["T27"].since
    datetime.date(2021, 3, 15)
"""

from facts.measured import (
    Chapter,
    Measured,
    NotebookRecord,
    load_chapters,
    load_measured,
    load_records,
)
from facts.records import (
    DUTIES,
    ApiCount,
    ApiModel,
    Call,
    Claim,
    Fact,
    Facts,
    FactsError,
    Inputs,
    Option,
    Price,
    Source,
    Table,
    Version,
    load_facts,
)

__all__ = [
    "DUTIES",
    "ApiCount",
    "ApiModel",
    "Call",
    "Chapter",
    "Claim",
    "Fact",
    "Facts",
    "FactsError",
    "Inputs",
    "Measured",
    "NotebookRecord",
    "Option",
    "Price",
    "Source",
    "Table",
    "Version",
    "load_chapters",
    "load_facts",
    "load_measured",
    "load_records",
]
