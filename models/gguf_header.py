"""The header of a GGUF file, read as hostile input. Used by gguf.py alone.

Not the reader of the gguf package: that one needs a second for a vocabulary of 32,000 entries, maps the file (which
kills the process if it shrinks meanwhile), and believes every count. Here every length is held against what is left of
the file before a byte is read, no tensor is touched, and of the vocabulary only the asked-for entries are kept.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little endian.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gguf.constants import GGML_QUANT_SIZES

Value = str | int | float | bool

TOKENS_KEY = "tokenizer.ggml.tokens"
_MAX_HEADER_BYTES = 256 << 20
_MAX_KEY_BYTES = 65535
_MAX_DIMENSIONS = 4
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_TENSOR_TYPES = {int(kind): (kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}
_LEAST_KEY_BYTES = 8 + 1 + 4 + 1
_LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8
_DAMAGED = "its header is damaged; download it again"
_TRUNCATED = "it is truncated ({have:,} of at least {need:,} bytes); download it again"


class ModelFileError(Exception):
    """A model file that cannot be used; the text is one line that names the file and says what to do."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        text = " ".join(f"{os.fspath(path)}: {reason}".split())
        super().__init__("".join(character if character.isprintable() else "?" for character in text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Scalars and strings of the metadata by key; of the vocabulary the number of entries and the ids of the texts that
    were asked for; of the tensors their number, the numbers they hold, and their commonest type by bytes."""

    size_bytes: int
    metadata: dict[str, Value]
    vocabulary_size: int
    token_ids: dict[str, int]
    tensors: int
    parameters: int
    tensor_type: str


def read_header(path: Path, wanted_tokens: Collection[str]) -> Header:
    """The header of the file at `path`. Raises ModelFileError for everything that is not a whole GGUF file."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # to open a pipe is to wait for its other end
            raise ModelFileError(path, "is no file; choose a GGUF file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return _Reader(path, file, size).header({text.encode() for text in wanted_tokens})
    except FileNotFoundError:
        raise ModelFileError(path, "there is no such file; choose an existing GGUF file") from None
    except IsADirectoryError:
        raise ModelFileError(path, "is a folder; choose the .gguf file itself") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ModelFileError(path, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None


class _Reader:
    """A position in a file and the bytes left behind it."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path, self._file, self._size, self._at = path, file, size, 0

    def header(self, wanted: set[bytes]) -> Header:
        tensors, keys = self._counts()
        metadata: dict[str, Value] = {}
        vocabulary_size, token_ids = 0, dict[str, int]()
        for _ in range(keys):
            key = self._string(_MAX_KEY_BYTES).decode("utf-8", "replace")
            kind = self._number("I")
            if kind in _SCALARS:
                metadata[key] = self._scalar(_SCALARS[kind])
            elif kind == _STRING:
                metadata[key] = self._string(self._size).decode("utf-8", "replace")
            elif kind == _ARRAY:
                found, count = self._array(wanted if key == TOKENS_KEY else set())
                if key == TOKENS_KEY:
                    vocabulary_size, token_ids = count, found
            else:
                raise self._error(_DAMAGED)
        parameters, tensor_type = self._tensors(tensors, metadata.get("general.alignment", 32))
        return Header(
            size_bytes=self._size,
            metadata=metadata,
            vocabulary_size=vocabulary_size,
            token_ids=token_ids,
            tensors=tensors,
            parameters=parameters,
            tensor_type=tensor_type,
        )

    def _counts(self) -> tuple[int, int]:
        start = self._file.read(24)
        if start[:4] != b"GGUF":
            raise self._error(_what_it_is(start))
        if len(start) < 24:
            raise self._error(_TRUNCATED.format(have=self._size, need=25))
        self._at = 24
        version, tensors, keys = struct.unpack("<4xIQQ", start)
        if version & 0xFFFF == 0:
            raise self._error("it is a big-endian GGUF, which runs on no machine of today; choose another conversion")
        if version not in (2, 3):
            raise self._error(f"it is GGUF version {version}, versions 2 and 3 can be read; choose another conversion")
        if keys * _LEAST_KEY_BYTES + tensors * _LEAST_TENSOR_BYTES > self._size:
            raise self._error(_DAMAGED)
        return tensors, keys

    def _array(self, wanted: set[bytes]) -> tuple[dict[str, int], int]:
        """Passes over an array; the positions of the `wanted` strings in it, and its length."""
        kind, count = self._number("I"), self._number("Q")
        found: dict[str, int] = {}
        if kind in _SCALARS:
            self._skip(count * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING and count * 8 <= self._size - self._at:
            for index in range(count):
                text = self._string(self._size)
                if text in wanted:
                    found.setdefault(text.decode(), index)
        else:
            raise self._error(_DAMAGED)
        return found, count

    def _tensors(self, count: int, alignment: Value) -> tuple[int, str]:
        """Passes over the tensor descriptions, which must fit the file: numbers in all, commonest type by bytes."""
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._error(_DAMAGED)
        parameters, end, sizes = 0, 0, dict[str, int]()
        for _ in range(count):
            self._string(_MAX_KEY_BYTES)
            dimensions = self._number("I")
            if dimensions > _MAX_DIMENSIONS:
                raise self._error(_DAMAGED)
            numbers = math.prod(self._number("Q") for _ in range(dimensions))
            kind, offset = self._number("I"), self._number("Q")
            if kind not in _TENSOR_TYPES:
                raise self._error(f"it holds tensors of an unknown type ({kind}); update repofill or download it again")
            name, block, block_bytes = _TENSOR_TYPES[kind]
            size = numbers // block * block_bytes
            if offset % alignment or numbers % block:
                raise self._error(_DAMAGED)
            parameters += numbers
            end = max(end, offset + size)
            sizes[name] = sizes.get(name, 0) + size
        need = -(-self._at // alignment) * alignment + end
        if count and need > self._size:
            raise self._error(_TRUNCATED.format(have=self._size, need=need))
        return parameters, max(sizes, key=lambda name: sizes[name], default="")

    def _scalar(self, code: str) -> Value:
        value: Value = struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]
        return value

    def _number(self, code: str) -> int:
        return int(self._scalar(code))

    def _string(self, most: int) -> bytes:
        size = self._number("Q")
        if size > most:
            raise self._error(_DAMAGED)
        return self._take(size)

    def _take(self, size: int) -> bytes:
        self._reserve(size)
        taken = self._file.read(size)
        if len(taken) < size:  # it shrank while being read
            raise self._error(_TRUNCATED.format(have=self._at + len(taken), need=self._at + size))
        self._at += size
        return taken

    def _skip(self, size: int) -> None:
        self._reserve(size)
        self._file.seek(size, os.SEEK_CUR)
        self._at += size

    def _reserve(self, size: int) -> None:
        if size > self._size - self._at:
            raise self._error(_TRUNCATED.format(have=self._size, need=self._at + size))
        if self._at + size > _MAX_HEADER_BYTES:
            raise self._error(_DAMAGED)

    def _error(self, reason: str) -> ModelFileError:
        return ModelFileError(self._path, reason)


def _what_it_is(start: bytes) -> str:
    """What a file that is no GGUF seems to be, and what to do about it."""
    if not start:
        return "it is empty; download it again"
    if start.startswith(b"version https://git-l"):
        return "it is a Git LFS pointer, not the model; run `git lfs pull` or download the file itself"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "it is a web page, not the model; download the file itself"
    if start[:4] in (b"lmgg", b"fmgg", b"tjgg", b"algg"):
        return "it is in the old GGML format; choose a GGUF conversion of the model"
    return "it is not a GGUF file; choose a model in the GGUF format"
