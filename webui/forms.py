"""Forms. The most common one, a single picture in a part named `file`, is read without a general parser.

werkzeug's parser takes 80 µs for that form, a third of what the whole response costs. It still reads every form that
looks different, and learns here that a file need not have a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import IO

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser, MultiPartParser
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from webui.faults import BadRequest, TooMany

URLENCODED = 50_000  # bytes of an urlencoded form, at most; the zoo's own have a key, a token and an address
FIELDS = 100  # of an urlencoded form, at most

_KIND = re.compile(r"multipart/form-data;\s*boundary=(?:\"([^\"\\]{1,70})\"|([0-9A-Za-z'()+_,./:=?-]{1,70}))\s*", re.I)
_HEAD = re.compile(
    rb'--([!-~]{1,70})\r\n(?i:Content-Disposition: form-data; name)="file"; (?i:filename)="[ !#-\[\]-~]+"\r\n'
    rb"(?i:Content-Type: [ -~]{1,100}\r\n)?\r\n"
)
_END = (b"--\r\n", b"--")


def boundary_of(kind: str) -> str | None:
    """Return the boundary in the content type of a form, or None if it is not a form or has none.

    A boundary like ----=_Part_1 is accepted without the quotes that it should have (RFC 2046, section 5.1.1).
    """
    said = _KIND.fullmatch(kind)
    return said and (said[1] or said[2])


def only_file(kind: str, body: bytes) -> bytes | None:
    """Return the content of a form's only part if that is a file named `file`; None for other forms, broken ones too.

    `kind` is the request's content type with its boundary (RFC 7578).
    """
    said, head = boundary_of(kind), _HEAD.match(body)
    if said is None or head is None:
        return None
    boundary = head[1]
    if boundary != said.encode("latin-1"):
        return None
    start = head.end()
    end = body.find(b"--" + boundary, start)  # the first one: werkzeug ends a part after a lone CR or LF too
    if end < start + 2 or body[end - 2 : end] != b"\r\n" or body[end + 2 + len(boundary) :] not in _END:
        return None
    return body[start : end - 2]


class Forms(FormDataParser):
    """Flask's form parser, with files kept in memory and urlencoded forms kept small.

    A form that `Parts` cannot parse counts as one without parts.
    """

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Return the stream, the form and the files of a body. Raises BadRequest, TooMany, RequestEntityTooLarge."""
        if mimetype == "application/x-www-form-urlencoded":
            return stream, super().parse(_small(stream), mimetype, content_length, options)[1], self.cls()
        boundary = (options or {}).get("boundary", "")
        if mimetype != "multipart/form-data" or not boundary:
            return super().parse(stream, mimetype, content_length, options)
        parts = Parts(None, self.max_form_memory_size, self.cls, max_form_parts=self.max_form_parts)
        try:
            return stream, *parts.parse(stream, boundary.encode("ascii"), content_length)
        except ValueError:
            return stream, self.cls(), self.cls()


class Parts(MultiPartParser):
    """Parses multipart/form-data. A part is a file if it has a filename, or a content type other than text.

    The filename is optional: https://www.rfc-editor.org/rfc/rfc7578#section-4.2
    """

    def parse(
        self, stream: IO[bytes], boundary: bytes, content_length: int | None
    ) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Return the fields and the files. Raises BadRequest, RequestEntityTooLarge; ValueError for a broken form."""
        fields: list[tuple[str, str]] = []
        files: list[tuple[str, FileStorage]] = []
        for event in self._events(stream, boundary):
            if isinstance(event, Field | File):
                part, content = event, BytesIO()
                named = part.filename if isinstance(part, File) else _name_of_file(part)
            elif isinstance(event, Data):
                content.write(event.data)
                if named is None:
                    self._check_size(part.name, content.tell())
                if event.more_data:
                    continue
                if named is None:
                    text = content.getvalue().decode(self.get_part_charset(part.headers), "replace")
                    fields.append((part.name, text))
                    continue
                content.seek(0)
                files.append((part.name, FileStorage(content, named, part.name, headers=part.headers)))
        return self.cls(fields), self.cls(files)

    def _events(self, stream: IO[bytes], boundary: bytes) -> Iterator[Event]:
        """Yield the events of werkzeug's decoder."""
        decoder = MultipartDecoder(boundary, self.max_form_memory_size, max_parts=self.max_form_parts)
        more = True
        while more:
            data = stream.read(self.buffer_size)
            more = bool(data)
            decoder.receive_data(data or None)
            while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
                yield event

    def _check_size(self, name: str | None, size: int) -> None:
        """Raise BadRequest if a text field is over the limit of a form in memory."""
        most = self.max_form_memory_size
        if most is not None and size > most:
            raise BadRequest(
                f"The form's part {(name or 'without a name')[:40]} came as text, without a filename, and has more "
                f"than {most / 1e6:g} MB. Send a file with its filename or its content type, as curl -F "
                "file=@digit.png does."
            )


def _small(stream: IO[bytes]) -> IO[bytes]:
    """Return an urlencoded form to parse. Raises TooMany for a large one: werkzeug would parse any size."""
    body = stream.read(URLENCODED + 1)
    fields = body.count(b"&") + 1
    if len(body) > URLENCODED:
        found = f"more than {URLENCODED:,} bytes"
    elif fields > FIELDS:
        found = f"{fields:,} fields"
    else:
        return BytesIO(body)
    raise TooMany(
        f"The form came as application/x-www-form-urlencoded and has {found}; the limits are {URLENCODED:,} bytes and "
        f"{FIELDS} fields. Send a picture as multipart/form-data, as curl -F file=@digit.png does."
    )


def _name_of_file(part: Field) -> str | None:
    """Return the name as a file of a part without a filename; None for text, which is what a part without a type is."""
    kind: str = part.headers.get("content-type", "text/plain").strip().lower()
    return None if kind.startswith("text/") else part.name or "file"
