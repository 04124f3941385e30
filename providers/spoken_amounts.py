"""Numbers, money, dates, times and units as they are said in English; a rule for each way to write them."""

from __future__ import annotations

import re

from providers.written_words import Place, Rule

__all__ = ("AMOUNTS", "BESIDE_AN_AMOUNT", "MONTHS", "digit_by_digit")

# --- numbers -------------------------------------------------------------------------------------------------------

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_IS_NUMBER = re.compile(rf"[-−+]?{_NUMBER}")  # noqa: RUF001 - the minus sign is meant
_IS_RANGE = re.compile(rf"({_NUMBER})[-–—]({_NUMBER})")  # noqa: RUF001 - the dash is meant


def _plain(number: str) -> str:
    return number.replace(",", "")


def _count(number: str, one: str, many: str) -> str:
    return one if _plain(number) == "1" else many


def digit_by_digit(digits: str) -> str:
    """In threes where there are many, which a listener can write down."""
    if len(digits) <= 5:
        return " ".join(digits)
    starts = range(0, len(digits) - 1, 3)
    ends = [*starts[1:], len(digits)]
    return ", ".join(" ".join(digits[start:end]) for start, end in zip(starts, ends, strict=True))


def _is_year(digits: str) -> bool:
    return re.fullmatch(r"(?:19|20)\d\d", digits) is not None


def _year(digits: str) -> str:
    if not _is_year(digits) or digits.startswith("200"):
        return digits
    if digits.endswith("00"):
        return f"{digits[:2]} hundred"
    return f"{digits[:2]} {digits[2:]}" if digits[2] != "0" else f"{digits[:2]} oh {digits[3]}"


def _ordinal(number: str) -> str:
    value = int(number)
    ending = "th" if value % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


_IN_A_YEAR = frozenset(
    {"in", "since", "during", "summer", "spring", "autumn", "fall", "winter", "early", "late", "mid", "year"}
)


def _lone_year(core: str, place: Place) -> str | None:
    return _year(core) if _is_year(core) and place.near(-1).lower() in _IN_A_YEAR else None


def _decade(core: str, _place: Place) -> str | None:
    found = re.fullmatch(r"['’]?(19|20)?([2-9])0s", core)  # noqa: RUF001 - the apostrophe is meant
    if found is None:
        return None
    tens = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
    return f"{found[1] or ''} {tens[int(found[2]) - 2]}".strip()


def _range(core: str, place: Place) -> str | None:
    found = _IS_RANGE.fullmatch(core)
    if found is None:
        return None
    years = _is_year(found[1]) and (_is_year(found[2]) or len(found[2]) == 2)
    first, last = (_year(found[1]), _year(found[2])) if years else (_plain(found[1]), _plain(found[2]))
    return f"{first} {'and' if place.near(-1).lower() == 'between' else 'to'} {last}"


_FRACTIONS = {
    "1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter", "3/4": "three quarters",
    "½": "one half", "⅓": "one third", "⅔": "two thirds", "¼": "one quarter", "¾": "three quarters",
}  # fmt: skip


def _fraction(core: str, place: Place) -> str | None:
    found = re.fullmatch(r"(\d*)([½⅓⅔¼¾])|(\d+/\d+)", core)
    if found is None:
        return None
    name = _FRACTIONS.get(found[2] or found[3])
    if name is None:
        return None
    if not (found[1] or place.near(-1).isdecimal()):
        return name
    return f"{found[1] or ''} and {name.replace('one ', 'a ')}".strip()


def _sign(core: str, _place: Place) -> str | None:
    found = re.fullmatch(rf"([-−~≈])({_NUMBER})", core)  # noqa: RUF001 - the minus sign is meant
    if found is None:
        return None
    return f"{'about' if found[1] in '~≈' else 'minus'} {_plain(found[2])}"


def _dotted(core: str, place: Place) -> str | None:
    """Versions, and addresses of machines."""
    found = re.fullmatch(r"([vV]?)(\d+(?:\.\d+){2,})|([vV])(\d+\.\d+)", core)
    if found is None:
        return None
    letter, digits = found[1] or found[3], found[2] or found[4]
    said = digits.replace(".", " dot ")
    return f"version {said}" if letter and place.near(-1).lower() != "version" else said


def _ratio(core: str, _place: Place) -> str | None:
    found = re.fullmatch(r"(\d+):(\d+)", core)
    return f"{found[1]} to {found[2]}" if found else None


def _height(core: str, _place: Place) -> str | None:
    found = re.fullmatch(r"(\d)['′’](\d{1,2})", core)  # noqa: RUF001 - the apostrophe is meant
    return f"{found[1]} foot {found[2]}" if found else None


# --- money ---------------------------------------------------------------------------------------------------------

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "USD": ("US dollar", "US dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
}
_COUNTRIES = {"US": "US ", "C": "Canadian ", "CA": "Canadian ", "A": "Australian ", "AU": "Australian "}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "tn": "trillion"}
_SCALE_WORDS = frozenset({"thousand", "million", "billion", "trillion"})
_PER = {"mo": "month", "yr": "year", "hr": "hour", "h": "hour", "kg": "kilogram", "wk": "week"}
_MONEY = re.compile(
    rf"([-−]?)(US|CA?|AU?)?([$€£¥₹])({_NUMBER})(?:[-–][$€£¥₹]?({_NUMBER}))?"  # noqa: RUF001 - as they are written
    r"(k|mn?|bn?|tn)?(?:/([a-z]+))?",
    re.IGNORECASE,
)
_MONEY_AFTER = re.compile(rf"({_NUMBER})([$€£]|USD|EUR|GBP)")


def _amount(currency: str, number: str, scale: str = "", country: str = "", *, as_a: bool = False) -> str:
    """``as_a``: of a note, a ticket, a plan: "a 20 dollar note"."""
    one, many, small_one, small_many = _CURRENCIES[currency]
    many = one if as_a else many
    number = _plain(number)
    whole, _, part = number.partition(".")
    if scale or (part and (len(part) != 2 or not small_one)):
        return " ".join(filter(None, (number, scale, country + many)))
    large = f"{whole} {country}{_count(whole, one, many)}"
    if not part.strip("0"):
        return large
    small = f"{int(part)} {_count(str(int(part)), small_one, small_many)}"
    return small if not whole.strip("0") else f"{large} and {small}"


def _money(core: str, place: Place) -> str | None:
    found = _MONEY.fullmatch(core)
    if found is None:
        return _money_after(core)
    minus, country, sign, number, most, scale, per = found.groups()
    country = _COUNTRIES.get((country or "").upper(), "")
    said = "minus " if minus else ""
    if place.near(1) in _SCALE_WORDS and not scale and not place.apart(1):
        return f"{said}{_plain(number)}" + (f" to {_plain(most)}" if most else "")
    if most:
        said += f"{_plain(number)} to "
    said += _amount(
        sign, most or number, _SCALES.get((scale or "").lower(), ""), country, as_a=place.near(-1).lower() == "a"
    )
    return f"{said} per {_PER.get(per, per)}" if per else said


def _money_after(core: str) -> str | None:
    found = _MONEY_AFTER.fullmatch(core)
    return _amount(found[2], found[1]) if found else None


def _scale_of_money(core: str, place: Place) -> str | None:
    before = _MONEY.fullmatch(place.near(-1)) if core in _SCALE_WORDS and not place.apart(-1) else None
    if before is None or before[6]:
        return None
    return f"{core} {_COUNTRIES.get((before[2] or '').upper(), '')}{_CURRENCIES[before[3]][1]}"


def _currency(core: str, place: Place) -> str | None:
    """Standing by itself, behind its number."""
    names = _CURRENCIES.get(core)
    if names is None or place.apart(-1) or not _IS_NUMBER.fullmatch(place.near(-1)):
        return None
    return _count(place.near(-1), *names[:2])


# --- dates ---------------------------------------------------------------------------------------------------------

_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
MONTHS = {name: name for name in _MONTH_NAMES} | {name[:3]: name for name in _MONTH_NAMES} | {"Sept": "September"}
_DAY = re.compile(r"(0?[1-9]|[12]\d|3[01])(st|nd|rd|th)?")


def _date(core: str, place: Place) -> str | None:
    if found := re.fullmatch(r"(\d{4})[-/](\d\d?)[-/](\d\d?)", core):
        year, month, day = found.groups()
    elif found := re.fullmatch(r"(\d\d?)([-/.])(\d\d?)\2(\d{4})", core):
        month, _, day, year = found.groups()
        if int(month) > 12 or (place.day_first and int(day) <= 12):
            month, day = day, month
    else:
        return None
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    name = _MONTH_NAMES[int(month) - 1]
    said = f"the {_ordinal(day)} of {name}" if place.day_first else f"{name} {_ordinal(day)}"
    return f"{said}, {_year(year)}"


def _month(core: str, place: Place) -> str | None:
    """Its whole name, where a day or a year stands beside it."""
    name = MONTHS.get(core)
    if name is None or name == core:
        return None
    beside = (place.near(1), place.near(-1))
    return name if any(_DAY.fullmatch(each) or _is_year(each) for each in beside) else None


def _day(core: str, place: Place) -> str | None:
    found = _DAY.fullmatch(core)
    if found is None:
        return None
    if place.near(-1) in MONTHS and "," not in place.near(-1):
        return _ordinal(found[1])
    follows = place.near(1)
    if follows in MONTHS and not place.apart(1) and (follows != "May" or _is_year(place.near(2))):
        return f"{'' if place.near(-1).lower() == 'the' else 'the '}{_ordinal(found[1])} of"
    return None


def _year_of_a_date(core: str, place: Place) -> str | None:
    if not _is_year(core):
        return None
    after_a_day = bool(_DAY.fullmatch(place.near(-1))) and place.near(-2) in MONTHS
    return _year(core) if after_a_day or place.near(-1) in MONTHS else None


# --- times ---------------------------------------------------------------------------------------------------------

_HALVES = {"am": "a.m.", "a.m": "a.m.", "pm": "p.m.", "p.m": "p.m."}
_CLOCK = r"([01]?\d|2[0-4])(?::([0-5]\d))?(?::[0-5]\d)?(am|pm|a\.m|p\.m)?"
_TIME = re.compile(_CLOCK, re.IGNORECASE)
_TIMES = re.compile(rf"{_CLOCK}[-–]{_CLOCK}", re.IGNORECASE)  # noqa: RUF001 - the dash is meant


def _clock(hours: str, minutes: str | None, half: str | None, *, half_follows: bool = False) -> str:
    hour = str(int(hours))
    if minutes in {None, "00"}:
        bare = half or half_follows or minutes is None
        said = hour if bare else f"{hour} o'clock" if int(hours) <= 12 else f"{hour} hundred"
    else:
        said = f"{hour} oh {minutes[1]}" if minutes is not None and minutes[0] == "0" else f"{hour} {minutes}"
    return f"{said} {_HALVES[half.lower()]}" if half else said


def _time(core: str, place: Place) -> str | None:
    if (found := _TIME.fullmatch(core)) and (found[2] or found[3]):
        said = _clock(*found.groups(), half_follows=place.near(1).lower() in _HALVES)
    elif (found := _TIMES.fullmatch(core)) and (found[2] or found[5] or found[3] or found[6]):
        first, last = found.groups()[:3], found.groups()[3:]
        said = f"{_clock(*first)} to {_clock(*last, half_follows=place.near(1).lower() in _HALVES)}"
    else:
        return None
    # "p.m." and the full stop of the sentence are one.
    return said.removesuffix(".") if place.trail.startswith(".") else said


def _half_of_the_day(core: str, place: Place) -> str | None:
    before = _TIME.fullmatch(place.near(-1)) if core.lower() in _HALVES and not place.apart(-1) else None
    if before is None or before[3]:
        return None
    half = _HALVES[core.lower()]
    return half.removesuffix(".") if place.trail.startswith(".") else half


# --- units ---------------------------------------------------------------------------------------------------------

_UNITS = {
    "%": ("percent", "percent"), "°": ("degree", "degrees"), "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "mm": ("millimeter", "millimeters"),
    "cm": ("centimeter", "centimeters"), "m": ("meter", "meters"), "km": ("kilometer", "kilometers"),
    "m²": ("square meter", "square meters"), "m2": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"), "ft": ("foot", "feet"), "mi": ("mile", "miles"),
    "yd": ("yard", "yards"), "mg": ("milligram", "milligrams"), "g": ("gram", "grams"),
    "kg": ("kilogram", "kilograms"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"), "l": ("liter", "liters"), "L": ("liter", "liters"),
    "mph": ("mile per hour", "miles per hour"), "km/h": ("kilometer per hour", "kilometers per hour"),
    "kmh": ("kilometer per hour", "kilometers per hour"), "m/s": ("meter per second", "meters per second"),
    "ms": ("millisecond", "milliseconds"), "s": ("second", "seconds"), "sec": ("second", "seconds"),
    "secs": ("second", "seconds"), "min": ("minute", "minutes"), "mins": ("minute", "minutes"), "h": ("hour", "hours"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "KB": ("kilobyte", "kilobytes"), "kB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "V": ("volt", "volts"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
}  # fmt: skip
_MEASURE = re.compile(rf"([-−~]?)({_NUMBER})(?:[-–]({_NUMBER}))?-?({'|'.join(sorted(_UNITS, key=len, reverse=True))})")  # noqa: RUF001 - as they are written


def _measure(core: str, _place: Place) -> str | None:
    found = _MEASURE.fullmatch(core)
    if found is None:
        return None
    sign, number, most, unit = found.groups()
    said = {"": "", "~": "about "}.get(sign, "minus ") + _plain(number) + (f" to {_plain(most)}" if most else "")
    return f"{said} {_count(most or number, *_UNITS[unit])}"


def _unit(core: str, place: Place) -> str | None:
    """Standing by itself, behind its number."""
    before = place.near(-1)
    if core not in _UNITS or place.apart(-1) or not (_IS_NUMBER.fullmatch(before) or _IS_RANGE.fullmatch(before)):
        return None
    return _count(before, *_UNITS[core])


AMOUNTS: tuple[Rule, ...] = (
    _money, _date, _day, _year_of_a_date, _lone_year, _decade, _time, _measure, _range, _fraction, _sign, _dotted,
    _ratio, _height, _unit,
)  # fmt: skip
"""For words that have a digit, in this order."""

BESIDE_AN_AMOUNT: tuple[Rule, ...] = (_month, _half_of_the_day, _scale_of_money, _currency, _unit, _fraction)
"""For words that have none, as the "km" of "5 km"."""
