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
        "no_several_objects": gettext("More than one object"),
        "no_not_a_digit": gettext("Not a digit"),
        "several_objects": gettext("The closest to a digit is %(label)s. “Read many digits” reads them all."),
        "not_a_digit": gettext("If it is one, it is most likely %(label)s."),
        "read_each": gettext("One by one, %(model)s reads %(text)s."),
        "blank": gettext("The picture is blank: no ink stands out from its background."),
        "no_contrast": gettext("The picture has too little contrast: its ink barely stands out from its background."),
        "too_many_objects": gettext("The picture shows too many objects to pick out the digits."),
        "other_reason": gettext("The picture shows no readable digit (%(reason)s)."),
        "dark-on-light": gettext("dark ink on a light background, inverted"),
        "light-on-dark": gettext("light ink on a dark background, as is"),
        "scaled": gettext("scaled and centred in 28 \N{MULTIPLICATION SIGN} 28 pixels"),
        "unchanged": gettext("28 \N{MULTIPLICATION SIGN} 28 pixels, unchanged"),
        "empty": gettext("Draw, and the answer appears here."),
        "awaited": gettext("Waiting for the answer."),
        "no_answer": gettext("No answer yet."),
        "agreed": gettext("All %(count)s models that see a digit read %(label)s."),
        "most": gettext("%(votes)s of %(count)s models read %(label)s."),
        "torn": gettext("The models are split: %(counts)s."),
        "one_vote": gettext("%(label)s (1 model)"),
        "some_votes": gettext("%(label)s (%(votes)s models)"),
        "none_reads": gettext("No model sees a digit."),
        "none_single": gettext("More than one object: there is no single digit to vote on."),
        "votes_late": gettext("The models are still answering."),
        "votes_failed": gettext("The models could not be asked about this picture."),
        "agrees": gettext("agrees"),
        "differs": gettext("differs"),
        "rejects": gettext("sees none"),
        "sees_several": gettext("sees several"),
        "fails": gettext("cannot answer"),
        "would_be": gettext("maybe %(label)s"),
        "shown": gettext("%(shown)s of %(count)s models shown"),
        "picture": gettext("the picture"),
        "contrast": gettext("background contrast"),
        "ink": gettext("the ink"),
        "marks": gettext("the digit's marks"),
        "box": gettext("the bounding box"),
        "fitted": gettext("cropped, even strokes"),
        "seen": gettext("what the model saw"),
        "why_of": gettext("Red pixels point to %(label)s, blue ones away from it."),
        "why_guess": gettext("Red pixels would point to %(label)s, blue ones away from it."),
        "why_none": gettext("There is no single digit to explain."),
        "stepwise": gettext("The steps are shown below."),
        "weights_of": gettext("Its weights: ink on red points to %(label)s, ink on blue away from it."),
        "read_none": gettext("No digits found."),
        "read_some": gettext("Reads %(text)s"),
        "copied": gettext("Copied."),
        "copied_model": gettext("Copied. The link includes the model but not the drawing."),
        "not_copied": gettext("The browser did not allow copying. Select the text and copy it."),
        "no_camera": gettext("No camera available"),
        "no_camera_advice": gettext("It is missing or in use. You can choose a picture instead."),
        "blocked_camera": gettext(
            "The browser blocks it. Allow the camera in the browser's settings for this site, or choose a picture."
        ),
        "insecure_camera": gettext(
            "Browsers allow the camera only over HTTPS or on this computer. Choose a picture instead."
        ),
        "lost": gettext("Cannot reach the server"),
        "lost_advice": gettext("Your drawing is kept. The page keeps trying until the server is back."),
        "close": gettext("Close"),
        "exactly": gettext("Details"),
        "no_key": gettext("Sign in with a key"),
        "no_key_advice": gettext("You are no longer signed in. Your drawing is kept."),
        "sign_in": gettext("Sign in"),
        "too_often": gettext("Too many requests"),
        "busy": gettext("The server is busy"),
        "again_advice": gettext("Your drawing is kept. The page will try again in a moment."),
        "slow": gettext("The server is slow"),
        "slow_advice": gettext("Your drawing is kept; still waiting for the answer."),
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
