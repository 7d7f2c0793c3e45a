"""The texts of the front page's scripts, in the reader's language, sent with the page."""

from __future__ import annotations

from dataclasses import asdict

from flask_babel import gettext

from webui.faults import Forged, NoPicture, Refused
from webui.notices import Notice, explain
from zoo.errors import ModelUnavailable, PictureBroken, PictureTooLarge, PictureUnsupported, UnknownModel, ZooError
from zoo.zoo import Zoo

MISHAPS: dict[int, ZooError] = {
    400: PictureBroken(),
    404: UnknownModel(),
    403: Forged(),
    408: Refused(408, ""),
    413: PictureTooLarge(),
    415: PictureUnsupported(),
    503: ModelUnavailable(),
    500: ZooError(),
}
"""The error that each status means to somebody who has sent a picture."""


def words() -> dict[str, str]:
    """Return the texts by name. The script fills in each `%(…)s`."""
    return {
        "reads": gettext("%(model)s reads %(label)s"),
        "confidence": gettext("confidence %(share)s"),
        "checkpoint": gettext("checkpoint %(ref)s"),
        "labelled": gettext("labelled %(label)s by MNIST"),
        "took": gettext("%(ms)s ms round trip"),
        "own_time": gettext("%(ms)s ms"),
        "nothing": gettext("Nothing to read"),
        "no_several_objects": gettext("More than one thing"),
        "no_not_a_digit": gettext("Not a digit"),
        "several_objects": gettext("The one most like a digit would be %(label)s. “Read many digits” reads them all."),
        "not_a_digit": gettext("If it is one after all, it is most likely %(label)s."),
        "read_each": gettext("One by one, %(model)s reads %(text)s."),
        "blank": gettext("The picture is blank: no ink stands out from its background."),
        "no_contrast": gettext("The picture has too little contrast: its ink hardly stands out from its background."),
        "too_many_objects": gettext("The picture shows too many things to tell digits among them."),
        "other_reason": gettext("The picture shows no digit that can be read (%(reason)s)."),
        "dark-on-light": gettext("dark ink on a light background, inverted"),
        "light-on-dark": gettext("light ink on a dark background, kept"),
        "empty": gettext("Draw, and the answer appears here."),
        "awaited": gettext("Waiting for the answer."),
        "no_answer": gettext("No answer yet."),
        "agreed": gettext("All %(count)s models that see a digit read %(label)s."),
        "most": gettext("%(votes)s of %(count)s models read %(label)s."),
        "torn": gettext("The models are torn: %(counts)s."),
        "one_vote": gettext("%(label)s (1 model)"),
        "some_votes": gettext("%(label)s (%(votes)s models)"),
        "none_reads": gettext("No model sees a digit."),
        "none_single": gettext("More than one thing: there is no single digit to vote on."),
        "votes_late": gettext("The models are still being asked."),
        "votes_failed": gettext("The models could not be asked about this picture."),
        "agrees": gettext("agrees"),
        "differs": gettext("differs"),
        "rejects": gettext("sees none"),
        "sees_several": gettext("sees several"),
        "fails": gettext("cannot answer"),
        "would_be": gettext("at best %(label)s"),
        "shown": gettext("%(shown)s of %(count)s models shown"),
        "picture": gettext("the picture"),
        "contrast": gettext("against its background"),
        "ink": gettext("its ink"),
        "marks": gettext("the digit's marks"),
        "box": gettext("the digit's box"),
        "fitted": gettext("cut out, strokes evened"),
        "seen": gettext("what the model saw"),
        "why_of": gettext("Red pixels speak for %(label)s, blue ones against it."),
        "stepwise": gettext("The steps are shown below."),
        "weights_of": gettext("Its weights: ink where it is red speaks for %(label)s, where it is blue against it."),
        "read_none": gettext("No digits were found."),
        "read_some": gettext("Reads %(text)s"),
        "copied": gettext("Copied."),
        "copied_model": gettext("Copied. The link names the model; the drawing stays here."),
        "not_copied": gettext("The browser did not allow copying. Select the text and copy it."),
        "no_camera": gettext("No camera can be used here"),
        "no_camera_advice": gettext(
            "There is none, it is in use, or the browser was not allowed to use it. Choose a picture instead."
        ),
        "insecure_camera": gettext(
            "Browsers lend the camera only to pages from this computer or over HTTPS. Choose a picture instead."
        ),
        "lost": gettext("The server cannot be reached"),
        "lost_advice": gettext("Your drawing is kept here. The page goes on asking until the server is back."),
        "close": gettext("Close"),
        "exactly": gettext("Details"),
        "no_key": gettext("A key, please"),
        "no_key_advice": gettext("You are not signed in any more. Your drawing is kept."),
        "sign_in": gettext("Sign in"),
        "too_often": gettext("Too many requests"),
        "busy": gettext("Too much is being sent just now"),
        "again_advice": gettext("Your drawing is kept. The page asks again by itself in a moment."),
        "slow": gettext("The server takes its time"),
        "slow_advice": gettext("Your drawing is kept; the answer is still awaited."),
        "several_told": gettext("%(count)s pictures: %(answers)s"),
        "unknown_picture": gettext("picture"),
        "all_of_it": gettext("Show %(name)s on the board"),
        "pen_down": gettext("pen down"),
        "pen_up": gettext("pen lifted"),
        "pen_at": gettext("column %(column)s, row %(row)s of 28"),
    }


def mishaps(zoo: Zoo) -> dict[str, dict[str, object]]:
    """Return the fields of the `Notice` for each status, and for "empty", a form without a picture."""
    told: dict[str, Notice] = {str(status): explain(error, zoo) for status, error in MISHAPS.items()}
    told["empty"] = explain(NoPicture(), zoo)
    return {status: asdict(notice) for status, notice in told.items()}
