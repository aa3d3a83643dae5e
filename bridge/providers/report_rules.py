"""What an account's settings say about its reports, whatever its provider: meanings of words, times, ids."""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from bridge.core.delivery import CodeMeaning, Verdict
from bridge.core.id_forms import IdForms


class ReportRules(NamedTuple):
    """The rules of an account."""

    statuses: Mapping[str, Verdict] = {}
    """Statuses that are added to the dialect's own table or override it."""
    codes: Mapping[str, CodeMeaning] = {}
    """What error codes say about a message that wasn't delivered."""
    timezone: tzinfo = UTC
    """The time zone of times that come without one."""
    time_formats: Sequence[str] = ()
    """The provider's own forms of times, as `strptime` takes them."""
    id_forms: IdForms = IdForms()
    """The forms in which ids are compared."""


NO_RULES = ReportRules()
