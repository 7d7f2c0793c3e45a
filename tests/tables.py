"""What the documents print from the code: tables and examples. `python tests/tables.py` writes them (make docs)."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path


def models(root: Path) -> str:
    """The models of the repo's own zoo, with their accuracies."""
    from zoo import Zoo, listings

    rows = ["| model | what it is | epochs | parameters | test accuracy | 95 % interval |", "|---|---|---|---|---|---|"]
    for row in listings.models(Zoo.open(root, environ={})):
        if row.checkpoint is None:
            continue
        low, high = row.interval or (0, 0)
        rows.append(
            f"| `{row.name}` | {row.summary} | {row.epochs} | {row.parameters:,} "
            f"| {100 * (row.accuracy or 0):.2f} % | {100 * low:.2f}-{100 * high:.2f} |"
        )
    return "\n".join(rows)


def settings(root: Path) -> str:
    """What every model takes in its table of settings.toml."""
    from pydantic import BaseModel

    from zoo.settings import ModelSettings

    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in ModelSettings.model_fields.items():
        default = "a table" if isinstance(field.default, BaseModel) else f"`{json.dumps(field.default)}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows)


def hooks(root: Path) -> str:
    """The hooks with their arguments; what happens without each is told in the document."""
    from zoo import hookspecs

    text = (root / "docs/plugins.md").read_text()
    rows = ["| hook | without it |", "|---|---|"]
    for hook in hookspecs.HOOKS:
        told = re.search(rf"^\| `{hook}\(.*?\)` \| (.*) \|$", text, re.MULTILINE)
        arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
        rows.append(f"| `{hook}({arguments})` | {told.group(1) if told else 'TELL IT'} |")
    return "\n".join(rows)


def robustness(root: Path) -> str:
    """How test pictures are made harder."""
    from zoo.robustness import CORRUPTIONS

    rows = ["| kind | what it does | weak | middle | strong | counted in |", "|---|---|---|---|---|---|"]
    for corruption in CORRUPTIONS:
        severities = " | ".join(f"{severity:g}" for severity in corruption.severities)
        rows.append(f"| {corruption.name} | {corruption.what} | {severities} | {corruption.unit} |")
    return "\n".join(rows)


def accuracy(root: Path) -> str:
    """What the served checkpoints' cards say of the test pictures."""
    from zoo import Zoo

    rows = [
        "| model | checkpoint | accuracy | 95 % interval | wrong | rejected | ECE | log-loss | temperature | below |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, model in Zoo.open(root, environ={}).models.items():
        card = model.card()
        if card is None or card.evaluation is None or card.calibration is None or card.evaluation.calibration is None:
            continue
        found, sure = card.evaluation, card.evaluation.calibration
        low, high = found.interval
        rows.append(
            f"| `{name}` | {card.ref} | {100 * found.accuracy:.2f} % | {100 * low:.2f}-{100 * high:.2f} "
            f"| {found.pictures - found.correct} | {sum(found.rejected.values())} | {100 * sure.ece:.2f} points "
            f"| {sure.nll:.4f} | {card.calibration.temperature:.2f} | {100 * card.calibration.threshold:.1f} % |"
        )
    return "\n".join(rows)


def seeds(root: Path) -> str:
    """Mean and deviation of the models that were trained with several seeds, from the cards."""
    from zoo import Zoo
    from zoo.measuring import Measured, over_seeds

    zoo = Zoo.open(root, environ={})

    def told(name: str, version: int) -> Measured:
        card = zoo.catalogue.card(name, version)
        assert card.evaluation is not None, f"zoo evaluate {name} --version {version}"
        return Measured(card, card.evaluation)

    rows = ["| model | versions | each | mean | deviation |", "|---|---|---|---|---|"]
    for name in zoo.models:
        card = zoo.model(name).card()
        if card is None or card.model != name or len(zoo.catalogue.versions(name)) < 2:
            continue
        found = over_seeds(zoo, name, lambda version, name=name: told(name, version))  # type: ignore[misc]
        if found.deviation is not None:
            versions = ", ".join(str(run.card.version) for run in found.runs)
            each = ", ".join(f"{100 * run.evaluation.accuracy:.2f}" for run in found.runs)
            mean, deviation = 100 * found.mean, 100 * found.deviation
            rows.append(f"| `{name}` | {versions} | {each} % | {mean:.2f} % | {deviation:.2f} points |")
    return "\n".join(rows)


def hardships(root: Path) -> str:
    """Accuracy at the middle strength of each hardship, from the cards."""
    from zoo import Zoo

    cards = {name: model.card() for name, model in Zoo.open(root, environ={}).models.items()}
    found = {
        name: card.evaluation.robustness
        for name, card in cards.items()
        if card is not None and card.evaluation is not None and card.evaluation.robustness is not None
    }
    rows = ["| made harder | " + " | ".join(f"`{name}`" for name in found) + " |", "|---|" + "---|" * len(found)]
    first = next(iter(found.values()))
    rows.append("| as they are | " + " | ".join(f"{100 * robust.plain:.1f}" for robust in found.values()) + " |")
    for at, kind in enumerate(first.kinds):
        shares = (" / ".join(f"{100 * share:.1f}" for share in robust.kinds[at].accuracy) for robust in found.values())
        rows.append(f"| {kind.kind} | " + " | ".join(shares) + " |")
    return "\n".join(rows)


def limits(root: Path) -> str:
    """Every limit, by its setting, with the status of what exceeds it."""
    from zoo.settings import PictureSettings, ServerSettings

    statuses = {
        "server.max_body_mb": 413,
        "server.body_seconds": 408,
        "server.max_batch": 413,
        "server.max_waiting": 503,
        "server.wait_seconds": 503,
        "pictures.max_mb": 413,
        "pictures.max_megapixels": 413,
        "pictures.max_total_megapixels": 413,
    }
    tables = {"server": ServerSettings, "pictures": PictureSettings}
    rows = ["| setting | default | what it is | beyond it |", "|---|---|---|---|"]
    for setting, status in statuses.items():
        table, name = setting.split(".")
        field = tables[table].model_fields[name]
        what = (field.description or "").split(";")[0].split(" before it is answered")[0]
        rows.append(f"| `{setting}` | {field.default:g} | {what} | {status} |")
    return "\n".join(rows)


def metrics(root: Path) -> str:
    """What `/metrics` tells."""
    from webui.metrics import METRICS

    rows = ["| metric | kind | labels | what it is |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.what} |")
    return "\n".join(rows)


def scopes(root: Path) -> str:
    """What the routes ask of a key."""
    from webui import create_app
    from webui.access import ADMIN, NOTHING, needed
    from zoo import Zoo, keys

    app = create_app(Zoo.open(root, environ={"ZOO_SERVER__KEYS__ANY__HASH": keys.hashed("any")}))

    def having(scope: str) -> str:
        found = {rule.rule for rule in app.url_map.iter_rules() if needed(app, rule.endpoint) == scope}
        return ", ".join(f"`{rule}`" for rule in sorted(found))

    rows = ["| scope | routes |", "|---|---|"]
    rows += [f"| none | {having(NOTHING)} |", "| `predict` | all others, and addresses that do not exist |"]
    return "\n".join([*rows, f"| `admin` | all, and {having(ADMIN)} |"])


def calls(root: Path) -> str:
    """Every call to copy, for one model, with a picture of the documents."""
    from webui import snippets

    kinds = {"curl": "sh", "python": "python", "javascript": "js", "browser": "js"}
    languages = {"python": "Python", "javascript": "Node.js", "browser": "JavaScript in a page of the server"}
    protocols = {
        "tensorflow_serving": "TensorFlow Serving",
        "inference_v2": "Open Inference Protocol",
        "huggingface": "Hugging Face",
    }
    parts = []
    for call in snippets.calls("cnn", "http://127.0.0.1:5000"):
        name = protocols.get(call.protocol) or languages.get(call.language, "curl")
        code = call.code.replace(snippets.PICTURE, "docs/seven.png")
        code += "  # 7" if call.language == "python" else ""
        parts.append(f"{name}:\n\n```{kinds[call.language]}\n{code}\n```")
    return "\n\n".join(parts)


TABLES: dict[tuple[str, str], Callable[[Path], str]] = {
    ("README.md", "models"): models,
    ("docs/plugins.md", "settings"): settings,
    ("docs/plugins.md", "hooks"): hooks,
    ("docs/serving.md", "limits"): limits,
    ("docs/serving.md", "metrics"): metrics,
    ("docs/evaluating.md", "robustness"): robustness,
    ("docs/api.md", "calls"): calls,
    ("docs/accuracy.md", "accuracy"): accuracy,
    ("docs/accuracy.md", "seeds"): seeds,
    ("docs/accuracy.md", "hardships"): hardships,
    ("docs/serving.md", "scopes"): scopes,
}


def replaced(text: str, mark: str, table: str) -> str:
    """The document with what stands between `<!-- mark -->` and `<!-- /mark -->` made new."""
    return re.sub(
        rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", lambda m: m[1] + table + "\n" + m[2], text, flags=re.DOTALL
    )


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    for (document, mark), table in TABLES.items():
        path = root / document
        path.write_text(replaced(path.read_text(), mark, table(root)))


if __name__ == "__main__":
    sys.exit(main())
