"""The names of IANA time zones, without those that mean "here" on one machine. Pure."""

from functools import cache
from zoneinfo import available_timezones

_OF_THIS_MACHINE = frozenset({"localtime", "posixrules", "Factory"})


@cache
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _OF_THIS_MACHINE
