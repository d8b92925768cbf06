"""Refusals of this app."""

from typing import ClassVar

from backend.common.errors import DomainError


class NothingToLabel(DomainError):
    code: ClassVar[str] = "nothing_to_label"


class NothingFailed(DomainError):
    code: ClassVar[str] = "nothing_failed"


class AutolabelRunUnfinished(DomainError):
    code: ClassVar[str] = "autolabel_run_unfinished"


class SettingsRefused(DomainError):
    code: ClassVar[str] = "settings_refused"
    status: ClassVar[int] = 400


class NoDetector(DomainError):
    code: ClassVar[str] = "no_detector"


class AutolabelRunNotRunning(DomainError):
    code: ClassVar[str] = "autolabel_run_not_running"


class NothingToCalibrateOn(DomainError):
    code: ClassVar[str] = "nothing_to_calibrate_on"
