"""The outputs of a model in the Open Inference Protocol: which there are, which are asked for, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from webui import pixels
from webui.faults import BadRequest
from webui.protocols import tensors
from zoo.answers import Answers
from zoo.types import DIGITS, Scores


def known(labels: Sequence[str]) -> dict[str, tuple[str, list[int]]]:
    """Return the datatype of each output, and its shape for one picture."""
    outputs: dict[str, tuple[str, list[int]]] = {"probabilities": ("FP32", [len(labels)]), "labels": ("BYTES", [])}
    if tuple(labels) == DIGITS:
        outputs["digits"] = ("INT64", [])
    return outputs | {"rejected": ("BOOL", [])}


def wanted(asked: dict[str, Any], labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the outputs that are asked for, all if none is named, each with `binary_data` and maybe `classification`.

    Raises BadRequest for an unknown output or a wrong parameter, Unimplemented for shared memory.
    """
    names = list(known(labels))
    binary = _flag(_parameters(asked, "parameters"), "binary_data_output", False)
    outputs = asked.get("outputs")
    if outputs is None or outputs == []:
        return {name: {"binary_data": binary} for name in names}
    if not isinstance(outputs, list):
        raise BadRequest(f'outputs is {pixels.kind(outputs)}. Give a list such as [{{"name": "probabilities"}}].')
    found: dict[str, dict[str, Any]] = {}
    for place, output in enumerate(outputs):
        where = f"outputs[{place}]"
        if not isinstance(output, dict):
            raise BadRequest(f'{where} is {pixels.kind(output)}. Give an object such as {{"name": "probabilities"}}.')
        name = output.get("name")
        if name not in names:
            raise BadRequest(
                f"unexpected inference output: {where}.name is {pixels.member(output, 'name')}. "
                f"The outputs are: {', '.join(names)}."
            )
        parameters = _parameters(output, f"{where}.parameters")
        tensors.refuse_shared(parameters, where)
        found[name] = {"binary_data": _flag(parameters, "binary_data", binary)}
        count = parameters.get("classification")
        if count:
            if type(count) is not int or count < 0 or name != "probabilities":
                raise BadRequest(
                    f"classification of {name} is {pixels.kind(count)}. Give a number of classes, for probabilities "
                    "only."
                )
            found[name]["classification"] = count
    return found


def filled(
    name: str, parameters: dict[str, Any], labels: Sequence[str], found: Answers
) -> tuple[dict[str, Any], bytes]:
    """Return an output and its raw bytes, which are empty unless asked for.

    With `classification`, the output is texts "score:index:label", best first.
    """
    count, raw = parameters.get("classification"), parameters["binary_data"]
    if count is not None:
        rows = [
            [f"{share:f}:{labels.index(label)}:{label}" for label, share in one.best(count)]
            for one in found.predictions
        ]
        texts = [text for row in rows for text in row]
        return tensors.described(name, "BYTES", texts, (len(found), len(rows[0])), raw)
    datatype, shape = known(labels)[name]
    content: dict[str, Callable[[], Sequence[Any] | Scores]] = {
        "probabilities": lambda: found.scores,
        "labels": lambda: found.labels,
        "digits": lambda: found.classes,
        "rejected": lambda: [reason is not None for reason in found.reasons],
    }
    return tensors.described(name, datatype, content[name](), (len(found), *shape), raw)


def _parameters(owner: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = owner.get("parameters")
    if not isinstance(parameters, dict | None):
        raise BadRequest(f"{where} is {pixels.kind(parameters)}. Give an object.")
    return parameters or {}


def _flag(parameters: dict[str, Any], key: str, default: bool) -> bool:
    flag = parameters.get(key, default)
    if not isinstance(flag, bool):
        raise BadRequest(f"{key} is {pixels.kind(flag)}. Give true or false.")
    return flag
