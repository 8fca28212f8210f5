"""The order of restriction lists in a session: the command at which each is evaluated, and the steps that follow.

With smtpd_delay_reject the lists for clients, HELO and senders are evaluated at each RCPT, otherwise at their own
commands. Each function returns the text of the rejection, or None.
"""

from __future__ import annotations

from ..checks.unlisted import reject_unlisted
from ..smtp.replies import RECIPIENT_CLASS, SENDER_CLASS
from . import table as restrictions
from .evaluation import Deferral, Evaluation, Frame, RejectionError, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lists import RestrictionList
    from .table import Stage


class Stages:
    """The stages of one session."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._smtpd = evaluation.smtpd
        self._client_deferral: Deferral | None = None
        self._helo_deferral: Deferral | None = None
        self._sender_deferral: Deferral | None = None

    def client(self) -> str | None:
        """Evaluate smtpd_client_restrictions."""
        evaluation = self._evaluation
        self._begin(None)
        result = self._run(restrictions.CLIENT, evaluation.name_and_address)
        self._client_deferral = evaluation.defer_if_permit
        return self._rejection(result)

    def helo(self, name: str | None) -> str | None:
        """Evaluate smtpd_helo_restrictions, if there is a name."""
        if name is None:
            return None
        evaluation = self._evaluation
        saved, evaluation.helo = evaluation.helo, name
        self._begin(self._client_deferral)
        result = self._run(restrictions.HELO, name)
        self._helo_deferral = evaluation.defer_if_permit
        evaluation.helo = saved
        return self._rejection(result)

    def sender(self, address: str) -> str | None:
        """Evaluate smtpd_sender_restrictions, and reject unlisted senders if that is wanted."""
        evaluation = self._evaluation
        saved, evaluation.sender = evaluation.sender, address
        evaluation.sender_checked = False
        self._begin(self._client_deferral or self._helo_deferral)
        result = self._run(restrictions.SENDER, address)
        self._sender_deferral = evaluation.defer_if_permit
        wanted = evaluation.settings.yes("smtpd_reject_unlisted_sender")
        if wanted and result is not Result.REJECT and not evaluation.discards and address:
            result = self._validate(address, SENDER_CLASS, "smtpd_reject_unlisted_sender")
        evaluation.sender = saved
        return self._rejection(result)

    def recipient(self, address: str) -> str | None:
        """Evaluate all that is evaluated at RCPT."""
        if address.lower() == "postmaster":
            return None
        evaluation = self._evaluation
        saved, evaluation.recipient = evaluation.recipient, address
        try:
            return self._recipient(address)
        finally:
            evaluation.recipient = saved

    def _recipient(self, address: str) -> str | None:
        evaluation = self._evaluation
        evaluation.recipient_checked = False
        if self._smtpd.delays_rejects:
            rejection = self.client() or self.helo(evaluation.helo) or self.sender(evaluation.sender or "")
            if rejection:
                return rejection
        self._begin(self._sender_deferral)
        result = Result.DUNNO
        for stage, words in self._smtpd.recipient_stages:
            result = self._run(stage, address, words)
            if result is Result.REJECT:
                break
        result = self._settle(result)
        wanted = evaluation.settings.yes("smtpd_reject_unlisted_recipient")
        if wanted and result is not Result.REJECT and not evaluation.discards:
            result = self._validate(address, RECIPIENT_CLASS, "smtpd_reject_unlisted_recipient")
        return self._rejection(result)

    def etrn(self, domain: str) -> str | None:
        """Evaluate all that is evaluated at ETRN."""
        evaluation = self._evaluation
        evaluation.etrn_domain = domain
        if self._smtpd.delays_rejects:
            rejection = self.client() or self.helo(evaluation.helo)
            if rejection:
                return rejection
        self._begin(self._client_deferral or self._helo_deferral)
        return self._rejection(self._settle(self._run(restrictions.ETRN, domain)))

    def data(self) -> str | None:
        """Evaluate smtpd_data_restrictions."""
        return self._after_recipients(restrictions.DATA, "DATA")

    def end_of_data(self) -> str | None:
        """Evaluate smtpd_end_of_data_restrictions."""
        return self._after_recipients(restrictions.END_OF_DATA, "END-OF-MESSAGE")

    def _after_recipients(self, stage: Stage, name: str) -> str | None:
        evaluation = self._evaluation
        saved = evaluation.recipient
        if evaluation.recipient_count > 1:
            evaluation.recipient = None
        self._begin(None)
        result = self._settle(self._run(stage, name))
        evaluation.recipient = saved
        return self._rejection(result)

    def _begin(self, deferral: Deferral | None) -> None:
        evaluation = self._evaluation
        evaluation.defer_if_permit = deferral
        evaluation.defer_if_reject = None
        evaluation.depth = evaluation.warn_only = 0

    def _run(self, stage: Stage, name: str, words: RestrictionList | None = None) -> Result:
        words = self._smtpd.lists[stage] if words is None else words
        return self._evaluation.run_stage(words, Frame(name, stage.subject, stage.default_check))

    def _settle(self, result: Result) -> Result:
        """Turn a permit into the deferral that waits."""
        evaluation = self._evaluation
        deferral = evaluation.defer_if_permit
        if result is Result.REJECT or deferral is None:
            return result
        return evaluation.reject(deferral.code, deferral.status, deferral.reason)

    def _validate(self, address: str, subject: str, parameter: str) -> Result:
        evaluation = self._evaluation
        evaluation.reply, evaluation.note, evaluation.entry = "", "", None
        try:
            result = reject_unlisted(evaluation, address, subject)
        except RejectionError:
            result = Result.REJECT
        if result is Result.REJECT:
            evaluation.record_setting(parameter)
        return result

    def _rejection(self, result: Result) -> str | None:
        return self._evaluation.reply if result is Result.REJECT else None
