"""Numbers to text and back: exact, shortest, and the same as Python's (numbers.pyx)."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable, Iterator
from decimal import Context, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_codec import Codec, NotJson

EXACT = Context(prec=1200)


@pytest.fixture
def codec() -> Iterator[Codec]:
    codec = Codec()
    yield codec
    codec.close()


def any_double(dice: random.Random) -> float:
    while True:
        (value,) = struct.unpack("<d", struct.pack("<Q", dice.getrandbits(64)))
        if math.isfinite(value):
            return float(value)


SOURCES: dict[str, Callable[[random.Random], float]] = {
    "any bits": any_double,
    "between 0 and 1": lambda dice: dice.random(),
    "money": lambda dice: round(dice.uniform(-1e6, 1e6), 2),
    "three decimals": lambda dice: round(dice.uniform(0, 1e12), 3),
    "around 1e16": lambda dice: dice.uniform(1e14, 1e18),
    "large integers": lambda dice: float(dice.getrandbits(70)),
    "subnormal": lambda dice: float(struct.unpack("<d", struct.pack("<Q", dice.getrandbits(52)))[0]),
    "beside powers of two": lambda dice: float(
        struct.unpack("<d", struct.pack("<Q", (dice.randint(1, 2046) << 52) + dice.randint(-2, 2)))[0]
    ),
    "round decimals": lambda dice: float(f"{dice.randint(1, 999)}e{dice.randint(-320, 300)}"),
}


def python_text(value: float) -> str:
    """The text that decision 37 asks for, from Python's repr."""
    if value.is_integer() and abs(value) <= 2**53:
        return "-0" if math.copysign(1, value) < 0 and value == 0 else str(int(value))
    return repr(value).replace("e+", "e").replace("e-0", "e-")


@pytest.mark.parametrize("source", SOURCES)
def test_floats_are_written_as_python_writes_them(codec: Codec, source: str) -> None:
    dice = random.Random(source)
    values = [SOURCES[source](dice) for _ in range(5000)]
    assert codec.encode(values)[1:-1].split(",") == [python_text(value) for value in values]


@pytest.mark.parametrize("source", SOURCES)
def test_floats_are_read_as_python_reads_them(codec: Codec, source: str) -> None:
    dice = random.Random(source)
    texts: list[str] = []
    for _ in range(2000):
        value = abs(SOURCES[source](dice))
        texts += [repr(value), f"{value:.{dice.randint(0, 25)}e}", f"{value:.17g}"]
        if value < 1e25:
            texts.append(f"{value:.{dice.randint(1, 30)}f}")
    texts = [text if "." in text or "e" in text else text + ".0" for text in texts]
    assert codec.decode(f"[{','.join(texts)}]") == [float(text) for text in texts]


def test_halfway_between_two_floats(codec: Codec) -> None:
    dice = random.Random(5)
    texts: list[str] = []
    for _ in range(500):
        low = abs(any_double(dice))
        high = math.nextafter(low, math.inf)
        if math.isinf(high):
            continue
        middle = EXACT.divide(EXACT.add(Decimal(low), Decimal(high)), Decimal(2))
        text = format(middle, "e")
        digits, exponent = text.split("e")
        # The very middle (to even), a hair above, a hair below, and what is left of it after 19 digits.
        texts += [text, f"{digits}1e{exponent}", f"{digits[:-1]}4999e{exponent}", f"{digits[:20]}e{exponent}"]
    assert codec.decode(f"[{','.join(texts)}]") == [float(text) for text in texts]


@settings(deadline=None, max_examples=300)
@given(st.from_regex(r"\A-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?\Z"))
def test_any_number_text(text: str) -> None:
    codec = Codec()
    try:
        expected = float(text)
        if math.isinf(expected):
            return
        got = codec.decode(text)
        if set(text) & set(".eE"):
            assert isinstance(got, float) and got == expected
        elif -(2**63) <= int(text) < 2**63 and text != "-0":
            assert isinstance(got, int) and got == int(text)
        else:
            assert isinstance(got, float) and got == expected
    finally:
        codec.close()


def test_all_lengths_of_integers(codec: Codec) -> None:
    values = [sign * 10**power + near for power in range(19) for near in (-1, 0, 1) for sign in (-1, 1)]
    values += [2**63 - 1, -(2**63), 2**53, -(2**53), 2**53 + 1, 0]
    text = codec.encode(values)
    assert text[1:-1].split(",") == [str(value) for value in values]
    assert codec.decode(text) == values


def test_integers_that_do_not_fit_are_floats(codec: Codec) -> None:
    values = [2**63, -(2**63) - 1, 2**64 - 1, 2**64, 10**19, 10**20, 10**25, -(10**30), 123456789012345678901234567890]
    got = codec.decode(str(values))
    assert got == [float(value) for value in values]
    assert all(isinstance(value, float) for value in got)


ODD_NUMBERS = [
    *("0", "-0", "7", "-7", "1234567", "12345678", "1234567890123456", "12345678901234567", "1234567890123456789"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("18446744073709551615", "18446744073709551616", "99999999999999999999", "1" + "0" * 40),
    *("0.0", "-0.0", "0.1", "-12.75", "1.0", "123456.789012", "0.1234567890123456", "0.12345678901234567"),
    *(
        "0.01234567890123456789",
        "12345678901234567.89",
        "0.0000000000000000001",
        "0." + "0" * 30 + "1",
        "9." + "9" * 30,
    ),
    *("999999999999999.9", "99999999999999.99", "9007199254740993.0", "0.30000000000000004", "4503599627370497.5"),
    *("1e5", "1E-5", "-1.5e+300", "0e9", "2.5e-320", "17976931348623157e292", "123456789012345678e-40"),
]


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_a_number_is_the_same_wherever_it_stands(codec: Codec, text: str) -> None:
    # How a number is read depends on what is behind it: not all ways look at as many bytes.
    expected = int(text) if set(text) <= set("-0123456789") and text != "-0" else float(text)
    if not -(2**63) <= expected < 2**63:
        expected = float(expected)
    for after in range(70):
        for before in ("", "1,", "2.5,", '"a",', "1e1,"):
            got = codec.decode(f"[{before}{text}{' ' * after}]")[-1]
            assert repr(got) == repr(expected)
        assert repr(codec.decode(f'{{"a":{text}{" " * after}}}')["a"]) == repr(expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("01", "2: a number may not begin with 0"),
        ("-00.5", "3: a number may not begin with 0"),
        ("-", "3: expected a digit, found the byte 0x20"),
        ("-a", "3: expected a digit, found 'a'"),
        ("1.", "4: expected a digit after the point, found the byte 0x20"),
        ("12345678901234567.e1", "20: expected a digit after the point, found 'e'"),
        ("1.5e", "6: expected a digit in the exponent, found the byte 0x20"),
        ("1e+x", "5: expected a digit in the exponent, found 'x'"),
        ("1.5.5", "5: expected ',' or ']', found '.'"),
        ("12-3", "4: expected ',' or ']', found '-'"),
        ("0x10", "3: expected ',' or ']', found 'x'"),
        ("1e309", "2: the number is too large for a float"),
    ],
)
def test_a_wrong_number_is_refused_wherever_it_stands(codec: Codec, text: str, problem: str) -> None:
    for after in range(1, 70):
        with pytest.raises(NotJson) as refusal:
            codec.decode(f"[{text}{' ' * after}]")
        assert str(refusal.value) == f"line 1, column {problem}"


@pytest.mark.parametrize("between", ["1e2", "-0", "1.5e300", "null", '"a"', "[1,2]", " 5"])
@pytest.mark.parametrize("count", [1, 55, 56, 57, 64, 200, 1023, 1024, 1025, 3000])
def test_long_rows_of_numbers(codec: Codec, count: int, between: str) -> None:
    dice = random.Random(count)
    row = [repr(dice.random()) if i % 3 else str(dice.getrandbits(40)) for i in range(count)]
    for place in {0, 1, count // 2, count - 1}:
        text = f"[{','.join([*row[:place], between, *row[place:]])}]"
        assert json.loads(codec.again(text)) == json.loads(text)


def test_very_long_numbers(codec: Codec) -> None:
    texts = [
        "0." + "0" * 5000 + "1e5001",
        "1" + "0" * 5000 + "e-5000",
        "0." + "3" * 20_000,
        "9" * 300 + ".5",
        "0" + "." + "0" * 100 + "1" * 19,
        "1e0000000000000000000000001",
        "1e-99999999999999999999",
        "0e99999999999999999999",
        "0.0e-99999999999999999999",
    ]
    assert codec.decode(f"[{','.join(texts)}]") == [float(text) for text in texts]


def test_the_locale_does_not_matter(codec: Codec) -> None:
    import locale

    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
        except locale.Error:
            continue
        try:
            assert codec.decode("[1.5,0.1234567890123456789012345,1.5e-310]") == [1.5, 0.12345678901234568, 1.5e-310]
            assert codec.encode([1.5, 1.5e-310]) == "[1.5,1.5e-310]"
        finally:
            locale.setlocale(locale.LC_NUMERIC, before)
