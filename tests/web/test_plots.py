"""The axes of the plots hold what is drawn on them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from flask.testing import FlaskClient

from webui import plots


@pytest.mark.parametrize(
    ("right", "marks"),
    [((0.13, 0.997), ["0 %", "50 %", "90 %", "95 %", "99 %", "99.5 %"]), ((0.985, 0.989), ["98 %", "99 %"])],
)
def test_an_axis_of_accuracies_holds_them_with_marks_apart(client: FlaskClient, right, marks: list[str]) -> None:
    with client.application.test_request_context("/"):
        axis = plots.accuracy_axis("", right)
    assert [said.replace("\N{NO-BREAK SPACE}", " ") for _, said in axis.ticks] == marks
    assert axis.low <= plots.laid(min(right), "errors") < plots.laid(max(right), "errors") <= axis.high
    assert all(high > low for (low, _), (high, _) in pairwise(axis.ticks))


@pytest.mark.parametrize(("losses"), [(0.0001, 2.5), (0.0, 1.0), (0.2, 0.2), (1.0, 1.0), (3.0, 120.0)])
def test_an_axis_of_losses_holds_them(client: FlaskClient, losses: tuple[float, float]) -> None:
    with client.application.test_request_context("/"):
        axis = plots.loss_axis("", losses)
    assert axis.low < axis.high
    assert axis.low <= plots.laid(min(losses), "log") + 1e-6
    assert plots.laid(max(losses), "log") <= axis.high
    assert 2 <= len(axis.ticks) <= plots.MOST_TICKS


def test_dots_that_no_line_joins_are_told_apart_by_their_shapes(client: FlaskClient) -> None:
    page = client.get("/compare?m=linear&m=cnn_5&m=cnn_10&m=cnn_300&m=deep&m=tiny").text
    legend = re.findall(r'<svg class="swatch s\d"[^>]*><path class="dot"[^>]* d="([^"]+)"', page)
    assert len(set(legend)) == len(legend) == 6
    assert all(page.count(f'd="{shape}"') > 2 for shape in legend)


def test_what_no_accuracy_and_no_loss_can_be_is_drawn_at_the_end_of_its_axis(client: FlaskClient) -> None:
    """A plugin's training may write any number into the history."""
    with client.application.test_request_context("/"):
        accuracies = plots.accuracy_axis("", [-0.5, 0.8, 1.5])
        losses = plots.loss_axis("", [-1.7e308, 0.5, 1.7e308])
    assert (accuracies.ticks[0][1], accuracies.ticks[-1][1]) == ("0\N{NO-BREAK SPACE}%", "99.999\N{NO-BREAK SPACE}%")
    assert losses.low == -6
    assert 6 <= losses.high < 7


def test_perfect_accuracy_and_a_single_epoch_can_be_drawn(client: FlaskClient) -> None:
    with client.application.test_request_context("/"):
        axis = plots.accuracy_axis("", [1.0, 1.0])
        assert axis.low < axis.high
        assert plots.epoch_axis("", 1).high == 1
