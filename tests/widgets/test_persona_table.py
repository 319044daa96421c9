from __future__ import annotations

import re

from facts import load_facts
from facts.personas import load_personas
from widgets import PersonaTable, ServiceSelector

PERSONAS = load_personas()


def test_each_persona_has_a_row_with_both_answers() -> None:
    html = PersonaTable()._repr_html_()
    options = load_facts().options.rows
    for row, persona in zip(PersonaTable().rows, PERSONAS.values(), strict=True):
        assert row.then == options[persona.then.ranked[0].option].name
        assert row.now == options[persona.now.ranked[0].option].name
        assert f'href="{ServiceSelector.link(persona.answers)}"' in html
    assert html.count("<tr>") == len(PERSONAS) + 1


def test_each_row_names_its_sources() -> None:
    for row in PersonaTable().rows:
        assert row.sources
    rows = re.findall(r'data-label="Why">(.*?)</td>', PersonaTable()._repr_html_(), re.DOTALL)
    assert all(re.search(r'<a href="https://[^"]+">.+?</a>, read 20\d\d-', row) for row in rows)


def test_the_text_fits_under_a_cell() -> None:
    lines = repr(PersonaTable()).splitlines()
    assert len(lines) == len(PERSONAS) + 1 <= 20
    assert lines[1].startswith("T20  wants to save infrastructure work")
