"""Every exception: its text, its way through pickle and traceback, its built-in parent."""

from __future__ import annotations

import inspect
import pickle
import traceback

import pytest

import dvid_array
from dvid_array import errors
from dvid_array.box import Box

PARENTS = {
    "DvidError": Exception,
    "DvidConnectionError": ConnectionError,
    "DvidTimeoutError": TimeoutError,
    "DvidBusyError": TimeoutError,
    "DvidProtocolError": ValueError,
    "DvidServerError": Exception,
    "DvidRequestError": ValueError,
    "DvidNotFoundError": KeyError,
    "DvidExistsError": ValueError,
    "DvidPermissionError": PermissionError,
    "DvidLockedError": errors.DvidPermissionError,
    "DvidTypeError": TypeError,
    "DvidAlignmentError": ValueError,
    "DvidTooLargeError": MemoryError,
    "DvidWriteError": Exception,
}
FACTS = {
    "sentence": "the server's words",
    "method": "GET",
    "url": "http://host:8000/api/node/1/gray/info",
    "status": 400,
}
CLASSES = [getattr(errors, name) for name in PARENTS]


def test_the_table_is_complete() -> None:
    made = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    }
    assert set(made) == set(PARENTS)
    assert set(made) <= set(dvid_array.__all__)
    for name in made:
        assert f"── {name} " in str(errors.__doc__) or name == "DvidError"


@pytest.mark.parametrize("kind", CLASSES)
def test_built_in_parents(kind: type[errors.DvidError]) -> None:
    assert issubclass(kind, PARENTS[kind.__name__])
    assert issubclass(kind, errors.DvidError)
    builtin = next(i for i, base in enumerate(kind.__mro__) if base.__module__ == "builtins")
    assert kind.__mro__.index(errors.DvidError) < builtin


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("message", ['it\'s "so"\nand so', ""])
def test_text_pickle_and_traceback(kind: type[errors.DvidError], message: str) -> None:
    error = kind(message, **FACTS)
    error.add_note("a note")
    again = pickle.loads(pickle.dumps(error))
    for one in (error, again):
        assert type(one) is kind
        assert str(one) == one.message == message
        assert {name: getattr(one, name) for name in FACTS} == FACTS
        assert one.__notes__ == ["a note"]
    try:
        raise again
    except errors.DvidError as caught:
        text = "".join(traceback.format_exception(caught))
    assert f"{kind.__name__}: {message}" in text if message else kind.__name__ in text


def test_facts_of_their_own_survive() -> None:
    box = Box((0, 0, 0), (1, 1, 1))
    written = errors.DvidWriteError("half way", stored=[box], unknown=[box, box], status=500)
    busy = errors.DvidBusyError("busy")
    assert (busy.attempts, busy.seconds) == (0, 0.0)
    busy.attempts, busy.seconds = 3, 1.5
    written.first, written.part = errors.DvidLockedError("committed", status=400), box
    written, busy = pickle.loads(pickle.dumps((written, busy)))
    assert isinstance(written.first, errors.DvidLockedError)
    assert (written.first.status, written.part) == (400, box)
    assert (written.stored, written.failed, written.unknown) == ((box,), (), (box, box))
    assert (written.status, written.sentence) == (500, "")
    assert (busy.attempts, busy.seconds) == (3, 1.5)
