"""Settings that can't be used: the errors, each with the setting that is to blame."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import TlsproxyError
from .parameters import CHAIN_FILES


class SettingsError(TlsproxyError):
    """Settings for which a role is not served; the text is Postfix's warning, and OpenSSL's error queue may have more.

    `setting`: the parameter to blame, as `culprit` knows it; `reasons`: further warnings.
    """

    def __init__(self, message: str, setting: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.setting = setting
        self.reasons = reasons


class TrustError(SettingsError):
    """Certification authorities that can't be loaded; Postfix does not call this a warning."""


class CipherError(SettingsError):
    """A grade or list that can't be used; the text has no name of a session in front of it.

    `setting`: `cipher_grade`, `cipher_exclusions`, or the name of the list.
    """


class IdentityError(SettingsError):
    """A key or certificate that can't be used. The text is the last warning about it; earlier ones have been logged.

    `setting`: `chain_files`, or the kind of the pair of files that is to blame.
    """

    def __init__(self, message: str, setting: str = CHAIN_FILES) -> None:
        super().__init__(message, setting)
