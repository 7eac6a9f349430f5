"""Content in another encoding than UTF-8, as UTF-8.

Bytes that the encoding does not know become lone surrogates, which UTF-8 cannot hold. So the line
of a wrong byte, and no other, is rejected where its text is decoded.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from feature_spec.logs.source import UTF_8
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.file_content import UnreadableError

_HANDLER = "fulcrum.wrong_bytes"
_FIRST_SURROGATE = 0xDC00


def _as_surrogates(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(chr(_FIRST_SURROGATE + byte) for byte in wrong), error.end


codecs.register_error(_HANDLER, _as_surrogates)


def utf8_chunks(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield content as UTF-8; chunks may end within a character.

    Raises:
        UnreadableError: the content as a whole is not of this encoding, such as UTF-16 without the
            mark that tells the order of its bytes.
    """
    if encoding == UTF_8:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_HANDLER)
    try:
        for chunk in chunks:
            yield _utf8(decoder.decode(chunk))
        yield _utf8(decoder.decode(b"", final=True))
    except UnicodeError as error:
        raise UnreadableError(f"not {encoding}: {error}") from error


def utf8_content(content: bytes, encoding: str) -> bytes:
    """Return content as UTF-8.

    Raises:
        UnreadableError: the content is not of this encoding, see `utf8_chunks`.
    """
    return content if encoding == UTF_8 else b"".join(utf8_chunks([content], encoding))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def decoded(line: bytes, encoding: str = UTF_8) -> str:
    """Return the text of a line.

    Args:
        line: the line, as UTF-8.
        encoding: the encoding of its source.

    Raises:
        UnusableLineError: the line is empty or was not in its encoding.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        if encoding == UTF_8:
            detail = f"not UTF-8: byte 0x{line[error.start]:02x} at {error.start}"
        else:
            before = line.decode("utf-8", "surrogatepass")
            at = next(at for at, one in enumerate(before) if "\ud800" <= one <= "\udfff")
            byte = ord(before[at]) - _FIRST_SURROGATE
            detail = f"not {encoding}: byte 0x{byte:02x} as character {at + 1}"
        raise UnusableLineError(Reason.WRONG_ENCODING, detail) from error
    if not text or text.isspace():
        raise UnusableLineError(Reason.EMPTY_LINE, "nothing but white space")
    return text
