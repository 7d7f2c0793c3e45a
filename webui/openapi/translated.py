"""The API's description in the page's language, and its texts for the translators.

Programs get it in English. No text is marked for translation where it is written: the texts come from many modules,
some of which know nothing of pages, so they are collected from the description itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TOLD = ("summary", "description")
UNTOLD = ("example", "examples", "enum", "default")  # what is sent and answered stays as it is


def translated(described: dict[str, Any], say: Callable[[str], str]) -> dict[str, Any]:
    """Return a copy of a description in which `say` translates every text that people read."""
    found: dict[str, Any] = _within(described, say)
    found["info"]["title"] = say(found["info"]["title"])
    for tag in found["tags"]:
        tag["x-displayName"] = say(tag["name"])
    return found


def _within(node: Any, say: Callable[[str], str]) -> Any:
    if isinstance(node, list):
        return [_within(one, say) for one in node]
    if not isinstance(node, dict):
        return node
    told: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":  # its keys are names of fields
            told[key] = {name: _within(schema, say) for name, schema in value.items()}
        elif key == "x-codeSamples":
            told[key] = [sample | {"label": say(sample["label"])} for sample in value]
        elif key in TOLD and isinstance(value, str):
            told[key] = say(value)
        else:
            told[key] = value if key in UNTOLD else _within(value, say)
    return told


def texts(described: dict[str, Any]) -> list[str]:
    """Return every text of a description that people read, each once, in order."""
    found: dict[str, None] = {}

    def note(text: str) -> str:
        found[text] = None
        return text

    translated(described, note)
    return list(found)


def extract(*_: object, **__: object) -> Iterator[tuple[int, None, str, list[str]]]:
    """Yield these texts for pybabel, as line, function, text and comments (see `translations/babel.cfg`)."""
    from webui.openapi.document import document
    from zoo.zoo import Zoo

    for text in texts(document(Zoo.open(Path(__file__).parents[2]), "", keyed=True)):
        yield 0, None, text, []
