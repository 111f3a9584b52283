"""llama.cpp through the low-level functions of llama-cpp-python: one loaded model and its context. The only importer of
llama_cpp; lives in the model process, because a bad file or a failed assertion inside llama.cpp ends the process.

One thread works in a context; `StopFlag.set` and `Llama.tokenize` may be used from others. Ids and sizes are checked
before every call: what llama.cpp would abort on is a ModelFault here.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp as C
import numpy as np
import numpy.typing as npt

from repofill.context.matches import shared
from repofill.models.budget import budget_for
from repofill.models.faults import Aborted
from repofill.models.gguf import ModelDescription, ModelFileError
from repofill.models.kept import Cells, KeptCells
from repofill.models.prompt import SourceTokenizer
from repofill.models.protocol import EngineOptions

Logits = npt.NDArray[np.float32]

MAX_BRANCHES = 5
"""Continuations evaluated in one batch, each a sequence of its own beside the prompt's."""

_BATCH_TOKENS = 512
_MICRO_BATCH_TOKENS = 64
"""Prefills as fast as 512 on a CPU, with an eighth of the buffer. The one that is being evaluated is finished whatever
happens: else a large model, which takes longer for it than the next keystroke takes to come, would never get on."""

_MOVED_S = 0.1
"""Seconds from which on the text behind the cursor is not evaluated anew; its cells are moved instead."""
_KEPT_S = 1.0
"""Seconds of evaluation from which on a prompt that gives way to another is kept for when somebody goes back there."""
_TIMED_TOKENS = 16
"""Fewer take longer each."""
_TRIALS_S, _TRIAL_TOKENS = 0.1, 32
_SCORING_CELLS = 256
_MOST_THREADS = 8
_ALONE_BYTES = 500_000_000
"""Up to so much of weights times tokens one thread evaluates alone, in about 15 ms: threads wait for one another, and
where two of them wake up on one core, or another program needs one, that takes 10 ms and more."""
_READING_TOKENS = 3
"""Reading the weights takes as long as computing with them for so many tokens."""
_Q8_BLOCK = 32
"""Numbers of a key that share a scale. Keys of eight bits change a text as little as rounding does, and on a CPU are
multiplied twice as fast as those of sixteen: a sixth of the time of a long prompt."""
_CHECKED_BYTES = 200_000_000
_ABORTED = 2
_LOG_WARNING, _LOG_ERROR, _LOG_CONTINUED = 3, 4, 5


class ModelFault(Exception):
    """llama.cpp refused or failed an evaluation; the cache is empty now, and the context usable."""


class StopFlag:
    """A byte that llama.cpp looks at between operations. The callback is the C function strlen, so that looking takes
    neither the GIL nor compiled code of our own: an empty string says go on. While it is `held`, llama.cpp sees nothing
    of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = self._held = False
        self._text = ctypes.create_string_buffer(2)
        libc = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self.callback = ctypes.cast(libc.strlen, C.ggml_abort_callback)
        self.address = ctypes.addressof(self._text)

    def set(self) -> None:
        self._show(set=True)

    def clear(self) -> None:
        self._show(set=False)

    def is_set(self) -> bool:
        return self._set

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """What is evaluated within is evaluated to its end."""
        self._show(held=True)
        try:
            yield
        finally:
            self._show(held=False)

    def _show(self, *, set: bool | None = None, held: bool | None = None) -> None:
        with self._lock:
            self._set = self._set if set is None else set
            self._held = self._held if held is None else held
            self._text[0] = b"!" if self._set and not self._held else b"\0"


class Llama:
    """A model with one context. Sequence 0 holds `tokens`, the latest prompt and answer; sequences 1 to 4 are used
    only within `branch_logits` and `prefill`. Behind the first `exact` tokens stands what was moved there, or evaluated
    behind that. `tokens_per_s` of a prompt were evaluated when the model was loaded."""

    def __init__(self, description: ModelDescription, options: EngineOptions, stop: StopFlag) -> None:
        """Loads the model. Raises ModelFileError when llama.cpp refuses it; may end the process on a damaged file."""
        self._stop = stop  # llama.cpp keeps its address
        _LOG.stopped = stop.is_set
        self._model = _load(description, options)
        self._vocab = C.llama_model_get_vocab(self._model)
        self.vocabulary_size = C.llama_vocab_n_tokens(self._vocab)
        self.n_ctx = _window_tokens(description, options)
        self._cells = self.n_ctx + _SCORING_CELLS
        self._threads = options.threads or physical_cores()
        self._size_bytes = description.size_bytes
        # Behind a prompt that ends at the cursor nothing moves: llama.cpp crashes where it moves keys of eight bits.
        small_keys = description.fim.layout == "spm" and options.n_gpu_layers == 0
        self._context = self._new_context(description.path, options, stop, small_keys=small_keys)
        self._memory = C.llama_get_memory(self._context)
        self._can_shift = C.llama_memory_can_shift(self._memory)
        self._batch = C.llama_batch_init(_BATCH_TOKENS, 0, 1 + MAX_BRANCHES)
        self.tokens: list[int] = []
        self.exact = self._tail = 0
        self._kept = KeptCells(min(description.size_bytes // 2, options.kept_bytes))
        self._token_s = 0.0
        self.pieces = [self._piece(token) for token in range(self.vocabulary_size)]
        self.end_of_text = frozenset(
            token
            for token in range(self.vocabulary_size)
            if C.llama_vocab_is_eog(self._vocab, token) or C.llama_vocab_is_control(self._vocab, token)
        )
        spaced = C.llama_vocab_type(self._vocab) == C.LLAMA_VOCAB_TYPE_SPM
        self._source_tokens = SourceTokenizer(self._tokenize, self._parsed_markers(description), spaced=spaced)
        self._try_out(description.path)
        self.tokens_per_s = self._speed()

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Tokens of source text. Lone surrogates become question marks."""
        return self._source_tokens(text)

    def prefill(self, prompt: Sequence[int], tail: int | None = None) -> int:
        """Makes `prompt` the content of sequence 0, keeping the cells of the longest common prefix; the number of its
        tokens that needed no evaluation. Afterwards `logits` are those of its last token. Raises Aborted.

        From `tail` on the prompt is what its format has behind the text before the cursor. Where evaluating that anew
        for every keystroke would take too long, its cells are moved along with the cursor: their keys turned to the new
        positions, but computed behind the text as it was.
        """
        if not 0 < len(prompt) <= self.n_ctx:
            raise ModelFault(f"a prompt of {len(prompt)} tokens for a window of {self.n_ctx}")
        tail = len(prompt) if tail is None else tail
        common = min(shared(self.tokens, prompt), self.exact, len(prompt) - 1)  # the last one has the logits
        ahead, count = self._movable(prompt, tail, common)
        kept = self._move(prompt, tail, ahead, count) if count else self._truncate(self._exchange(prompt, common))
        self._tail = tail
        for start in range(len(self.tokens), len(prompt), _MICRO_BATCH_TOKENS):
            if self._stop.is_set():
                raise Aborted
            with self._stop.held():
                self._extend(prompt[start : start + _MICRO_BATCH_TOKENS])
        return kept

    def back_to(self, prompt: Sequence[int]) -> bool:
        """Makes a prompt that sequence 0 begins with all that it holds; False where it does not, or cannot forget the
        rest. `logits` are not those of its last token then."""
        return self.tokens[: len(prompt)] == prompt and self._truncate(len(prompt)) == len(prompt)

    def _movable(self, prompt: Sequence[int], tail: int, common: int) -> tuple[int, int]:
        """How many tokens ahead of the tail are in the cache, and how many cells behind its first one are worth moving:
        0 where so many tokens as `common` need no evaluation anyway, or the text ahead is another, or much longer."""
        count = shared(self.tokens[self._tail :], prompt[tail:-1]) - 1
        if count * self._token_s <= _MOVED_S or not self._can_shift:
            return 0, 0
        ahead = shared(self.tokens[: self._tail], prompt[:tail])
        few = ahead > 0 and tail - ahead < _MICRO_BATCH_TOKENS
        return ahead, count if few and (ahead + count - common) * self._token_s > _MOVED_S else 0

    def _exchange(self, prompt: Sequence[int], common: int) -> int:
        """Where kept cells spare much more of a prompt than the first `common` tokens at hand do, make them the content
        of sequence 0, and keep what gives way; how many tokens of the prompt are there then."""
        much = (len(prompt) - common) * self._token_s > _KEPT_S  # hardly ever, while somebody types
        before = self._kept.best(prompt) if much else None
        if (len(self.tokens) - common) * self._token_s > _KEPT_S:
            self._keep()
        if before is None or (before.common(prompt) - common) * self._token_s <= _KEPT_S:
            return common
        if not C.llama_state_seq_set_data(self._context, before.data, len(before.data), 0):
            self.clear()
            return 0
        self.tokens, self.exact, self._tail = before.tokens[:], before.exact, before.tail
        return before.common(prompt)

    def _keep(self) -> None:
        """Keep what sequence 0 holds. Recurrent models, which cannot forget the tail alone, could not use it."""
        size = C.llama_state_seq_get_size(self._context, 0)
        if self._can_shift and size <= self._kept.most_bytes:
            data = (ctypes.c_uint8 * size)()
            if C.llama_state_seq_get_data(self._context, data, size, 0) == size:
                self._kept.keep(Cells(self.tokens[:], self.exact, self._tail, data))

    def _move(self, prompt: Sequence[int], tail: int, ahead: int, count: int) -> int:
        """Evaluate what is new behind so many tokens `ahead` of the tail, and the tail's first token, and move `count`
        cells behind it. llama.cpp takes tokens at the end of a sequence alone, so these wait in another meanwhile."""
        start = self._tail + 1
        moved = self.tokens[start : start + count]
        C.llama_memory_seq_cp(self._memory, 0, 1, start, start + count)
        try:
            if self._truncate(ahead) < ahead:
                return 0  # everything is forgotten
            C.llama_memory_seq_add(self._memory, 1, start, start + count, tail + 1 - start)
            with self._stop.held():  # an aborted evaluation would leave the keys as they were
                self._extend(prompt[ahead : tail + 1])
            C.llama_memory_seq_cp(self._memory, 1, 0, -1, -1)
            self.tokens += moved
        finally:
            C.llama_memory_seq_rm(self._memory, 1, -1, -1)
        return ahead + count

    def extend(self, tokens: Sequence[int]) -> None:
        """Appends a few tokens to sequence 0 and evaluates them. Raises Aborted."""
        if len(self.tokens) + len(tokens) > self.n_ctx:
            raise ModelFault("the window is full")
        self._extend(tokens)

    def logits(self, row: int = -1) -> Logits:
        """Logits of a token of the last evaluation that asked for them, (vocabulary,), valid until the next one."""
        pointer = C.llama_get_logits_ith(self._context, row)
        if not pointer:
            raise ModelFault(f"no logits for row {row}")
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary_size,))

    def branch_logits(
        self, branches: Collection[tuple[int, ...]], see: Callable[[tuple[int, ...], Logits], None]
    ) -> None:
        """Evaluates several continuations of sequence 0 in one batch, shared beginnings once, and shows `see` each
        beginning with the logits after it. Sequence 0 stays as it was. `branches`: at most MAX_BRANCHES, none empty,
        with no more tokens than `branch_room`. Raises Aborted."""
        members: dict[tuple[int, ...], list[int]] = {}
        for sequence, branch in enumerate(branches, start=1):
            for beginning in beginnings(branch):
                members.setdefault(beginning, []).append(sequence)
        if len(branches) > MAX_BRANCHES or len(members) > self.branch_room:
            raise ModelFault(f"{len(branches)} branches of {len(members)} tokens do not fit a batch")
        paths = sorted(members, key=len)
        try:
            self._batch.n_tokens = 0
            for sequence in range(1, len(branches) + 1):
                C.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
            for path in paths:
                self._add(path[-1], len(self.tokens) + len(path) - 1, members[path], wanted=True)
            self._decode()
            for row, path in enumerate(paths):
                see(path, self.logits(row))
        finally:
            for sequence in range(1, len(branches) + 1):
                C.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    @property
    def branch_room(self) -> int:
        """Tokens that one call of `branch_logits` may evaluate."""
        return min(_BATCH_TOKENS, self._cells - len(self.tokens))

    def clear(self) -> None:
        """Empties the cache, but for what is kept beside it."""
        C.llama_memory_clear(self._memory, True)
        self.tokens = []
        self.exact = 0

    def _new_context(self, path: Path, options: EngineOptions, stop: StopFlag, *, small_keys: bool) -> Any:
        params = C.llama_context_default_params()
        params.n_ctx = self._cells
        params.n_batch = _BATCH_TOKENS
        params.n_ubatch = _MICRO_BATCH_TOKENS
        params.n_seq_max = 1 + MAX_BRANCHES
        params.kv_unified = True  # sequences share the prompt's cells; a partial seq_cp aborts otherwise
        params.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_DISABLED if options.n_gpu_layers == 0 else -1
        if small_keys and self._head_width() % _Q8_BLOCK == 0:
            params.type_k = C.GGML_TYPE_Q8_0
        params.abort_callback = stop.callback
        params.abort_callback_data = stop.address
        context = C.llama_init_from_model(self._model, params)
        if not context:
            raise ModelFileError(path, f"no memory for a window of {self.n_ctx} tokens; set a smaller one")
        return context

    def _head_width(self) -> int:
        return int(C.llama_model_n_embd(self._model)) // max(int(C.llama_model_n_head(self._model)), 1)

    def _try_out(self, path: Path) -> None:
        """A first evaluation: damage that loading does not show ends the process now, not at the first keystroke."""
        self.prefill([token % self.vocabulary_size for token in range(4)])
        if not np.isfinite(self.logits()).all():
            raise ModelFileError(path, "what it computes is not a number: it is damaged; download it again")
        self.clear()

    def _speed(self) -> float:
        """Tokens of a prompt per second, by the quickest of some evaluations: whatever starts repofill has other work,
        too."""
        fewest, end = math.inf, time.perf_counter() + _TRIALS_S
        while math.isinf(fewest) or time.perf_counter() < end:
            self._extend([0] * min(_TRIAL_TOKENS, self.n_ctx))
            self.clear()
            fewest = min(fewest, self._token_s)
        return 1 / max(fewest, 1e-9)

    def _truncate(self, length: int) -> int:
        if length < len(self.tokens):
            if length == 0 or not C.llama_memory_seq_rm(self._memory, 0, length, -1):
                self.clear()  # recurrent models cannot forget the tail alone
            del self.tokens[length:]
        self.exact = min(self.exact, len(self.tokens))
        return len(self.tokens)

    def _extend(self, tokens: Sequence[int]) -> None:
        start, began = len(self.tokens), time.perf_counter()
        self._batch.n_tokens = 0
        for at, token in enumerate(tokens):
            self._add(token, start + at, (0,), wanted=at == len(tokens) - 1)
        self._decode()
        if self.exact == start:
            self.exact += len(tokens)
        if len(tokens) >= _TIMED_TOKENS:
            self._token_s = (time.perf_counter() - began) / len(tokens)
        self.tokens += tokens

    def _add(self, token: int, position: int, sequences: Sequence[int], *, wanted: bool) -> None:
        batch, at = self._batch, self._batch.n_tokens
        if not (0 <= token < self.vocabulary_size and at < _BATCH_TOKENS and 0 <= position < self._cells):
            raise ModelFault(f"token {token} at position {position}, place {at} of a batch")
        batch.token[at], batch.pos[at], batch.logits[at] = token, position, wanted
        batch.n_seq_id[at] = len(sequences)
        for index, sequence in enumerate(sequences):
            batch.seq_id[at][index] = sequence
        batch.n_tokens = at + 1

    def _decode(self) -> None:
        work = (self._batch.n_tokens + _READING_TOKENS) * self._size_bytes
        threads = 1 if work <= _ALONE_BYTES else self._threads
        C.llama_set_n_threads(self._context, threads, threads)
        code = C.llama_decode(self._context, self._batch)
        if code == _ABORTED:
            raise Aborted
        if code:
            self.clear()
            raise ModelFault(f"llama_decode returned {code}")

    def _tokenize(self, text: str) -> list[int]:
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        ids = (C.llama_token * size)()
        count = C.llama_tokenize(self._vocab, data, len(data), ids, size, False, False)
        if count < 0:
            raise ModelFault(f"tokenizing {len(data)} bytes needs {-count} tokens")
        return ids[:count]

    def _piece(self, token: int) -> bytes:
        """The bytes a token stands for, b"" for a special one."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = C.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def _parsed_markers(self, description: ModelDescription) -> list[str]:
        """Markers that llama.cpp turns into their tokens even with special tokens off."""
        return [
            C.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")
            for token in sorted(description.fim.marker_ids)
            if C.llama_vocab_get_attr(self._vocab, token) & C.LLAMA_TOKEN_ATTR_USER_DEFINED
        ]


def beginnings(path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The non-empty beginnings of a path, the shortest first, itself the last."""
    return (path[:length] for length in range(1, len(path) + 1))


class _Log:
    """llama.cpp's warnings and errors, passed on to stderr; keeps the first error, which the later ones follow from.
    While `stopped()` they are about a cancellation, of which llama.cpp makes four lines, and left out."""

    def __init__(self) -> None:
        self.first_error = ""
        self.stopped: Callable[[], bool] = lambda: False
        self._level = 0

    def __call__(self, level: int, text: bytes, _data: object) -> None:
        self._level = self._level if level == _LOG_CONTINUED else level
        if self._level in (_LOG_WARNING, _LOG_ERROR) and not self.stopped():
            line = text.decode("utf-8", "replace")
            if self._level == _LOG_ERROR:
                self.first_error = self.first_error or line.strip()
            sys.stderr.write(line)
            sys.stderr.flush()


_LOG = _Log()
_LOG_CALLBACK = C.llama_log_callback(_LOG)


def physical_cores() -> int:
    """Cores this process may use, hardware threads not counted, at most 8: more gain nothing in decoding. A container
    may have the time of fewer."""
    try:
        logical = sorted(os.sched_getaffinity(0))
        folder = Path("/sys/devices/system/cpu")
        cores = {(folder / f"cpu{number}/topology/thread_siblings_list").read_text() for number in logical}
        return max(1, int(min(len(cores), _MOST_THREADS, quota(Path("/sys/fs/cgroup/cpu.max")))))
    except (AttributeError, OSError):  # not Linux
        return min(max(1, (os.cpu_count() or 2) // 2), _MOST_THREADS)


def quota(limit: Path) -> float:
    """Of how many cores a file of Linux's control groups (version 2) allows the time; infinite where that is all."""
    try:
        allowed_us, period_us = limit.read_text().split()
        return int(allowed_us) / int(period_us)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf


def _window_tokens(description: ModelDescription, options: EngineOptions) -> int:
    """Tokens of prompt and answer: no more than the prompts for a model of this size need, for every cell costs."""
    window = description.context_window
    needed = budget_for(
        window,
        description.size_bytes,
        context=options.context_tokens,
        prefix=options.prefix_tokens,
        suffix=options.suffix_tokens,
    ).total
    return min(window, options.n_ctx or -(-needed // 256) * 256)


def _load(description: ModelDescription, options: EngineOptions) -> Any:
    C.llama_backend_init()
    C.llama_log_set(_LOG_CALLBACK, None)
    _LOG.first_error = ""
    params = C.llama_model_default_params()
    params.n_gpu_layers = options.n_gpu_layers if options.n_gpu_layers >= 0 else 1_000_000
    params.check_tensors = description.size_bytes <= _CHECKED_BYTES
    params.use_extra_bufts = not _has_amx()
    overrides = _overrides(description)
    params.kv_overrides = overrides
    model = C.llama_model_load_from_file(os.fsencode(description.path), params)
    if not model:
        why = _LOG.first_error.rpartition("error loading model: ")[2] or "no reason given"
        raise ModelFileError(description.path, f"llama.cpp cannot load it ({why}); download it again or choose another")
    return model


def _has_amx() -> bool:
    """Whether the CPU has AMX, for which llama.cpp would rearrange the weights: its kernels for quantised ones crash on
    such machines (ggml-org/llama.cpp issue 20824). Without AMX the rearranged weights are right, and quicker."""
    try:
        return "amx_tile" in Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux, where nothing uses AMX
        return False


def _overrides(description: ModelDescription) -> Any:
    """A C array of metadata overrides, ended by an empty key."""
    array = (C.llama_model_kv_override * (len(description.overrides) + 1))()
    for entry, (key, value) in zip(array, description.overrides.items(), strict=False):
        entry.key = key.encode()
        if isinstance(value, str):
            entry.tag, entry.value.val_str = C.LLAMA_KV_OVERRIDE_TYPE_STR, value.encode()
        else:
            entry.tag, entry.value.val_f64 = C.LLAMA_KV_OVERRIDE_TYPE_FLOAT, value
    return array
