"""What may go wrong in a way that a user can mend. All the backend has to catch is `EngineError`."""

#: Ends the refusal to go on from a run's state: of another run, of another version, or damaged.
BEGIN_AGAIN = "remove it to begin again"


class DeviceUnavailable(Exception):
    """The device that this machine was told to compute on is none, or is not there. No `EngineError`: nothing that was given
    is at fault, and what waits can be done once the setting is mended."""


class EngineError(ValueError):
    """A user's mistake, or a file's; the message is one sentence for people."""


class CheckpointInvalid(EngineError):
    """Not a checkpoint of ours, damaged, or of another architecture than asked for."""


class DetectorInvalid(EngineError):
    """Not a detector of ours, damaged, or of another encoder than the embedding it was given."""


class DataInvalid(EngineError):
    """A folder, image or annotation file that cannot be read as what it claims to be."""


class FetchFailed(EngineError):
    """A published checkpoint that could not be had, or is not the published one."""


class MaskInvalid(EngineError):
    """Run lengths that are not a mask of the photo they come with."""


class PromptInvalid(EngineError):
    """A prompt that no mask can answer."""


class TextUnavailable(EngineError):
    """No text encoder can be loaded here: its optional packages or its files are missing."""
