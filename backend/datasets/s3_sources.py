"""Buckets that photos may be fetched from: those that whoever runs the server names, and no others.

A source names buckets, and how to reach them. A person picks one by its name; no address and no credentials ever come from
a browser, so nobody can make the server call somebody else, or read a bucket that was not meant. Credentials are found as
boto3 finds them (environment, ~/.aws, the machine's role), and are stored nowhere.
Anybody who is logged in may make a dataset and is its admin, so that role opens no bucket: a source names the people who may
use it, and superusers may use all of them.
How sources are written down is in `backend.config.sources`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from django.conf import settings

from backend.accounts.models import User
from backend.config.sources import Source
from backend.datasets.errors import S3Refused

SHOWN_KEYS = 20
_PAGE_KEYS = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """One object of a listing."""

    key: str
    byte_size: int
    modified_at: datetime


def sources_of(user: User) -> list[Source]:
    """Those that the person may use."""
    return [one for one in settings.S3_SOURCES.values() if user.is_superuser or user.username in one.users]


def source_named(name: str, bucket: str, *, user: User) -> Source:
    """
    Raises:
        S3Refused: there is none of this name that the person may use, or it may not read this bucket.
    """
    source = next((one for one in sources_of(user) if one.name == name), None)
    if source is None:
        raise S3Refused(
            f"There is no S3 source named {name} that {user.username} may use; the server's operator says who may."
        )
    if bucket not in source.buckets:
        raise S3Refused(f"The source {name} may not read the bucket {bucket}.")
    return source


class Bucket:
    """One bucket of a source, for reading. What goes wrong is an `S3Refused` in plain words."""

    def __init__(self, source: Source, name: str) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self.source, self.name = source, name
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"} if source.endpoint_url else None,
        )
        try:
            session = boto3.Session(profile_name=source.profile, region_name=source.region)
            self.client: Any = session.client("s3", endpoint_url=source.endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise self._refusal(error) from error

    def first(self, prefix: str) -> tuple[list[Found], bool]:
        """The first objects under a prefix, and whether these are all of them."""
        answer = self._list(prefix, after="")
        return _found(answer), not answer.get("IsTruncated", False)

    def after(self, prefix: str, key: str) -> Iterator[Found]:
        """Objects under a prefix whose keys come after this one, in S3's own order; never more than a page in memory."""
        while True:
            answer = self._list(prefix, after=key)
            yield from _found(answer)
            if not answer.get("IsTruncated") or not answer.get("Contents"):
                return
            key = answer["Contents"][-1]["Key"]

    def read(self, key: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            body: IO[bytes] = self.client.get_object(Bucket=self.name, Key=key)["Body"]
            with body:
                return body.read(settings.MAX_PHOTO_BYTES + 1)
        except (BotoCoreError, ClientError, OSError) as error:
            raise self._refusal(error) from error

    def _list(self, prefix: str, after: str) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = self.client.list_objects_v2(
                Bucket=self.name, Prefix=prefix, StartAfter=after, MaxKeys=_PAGE_KEYS
            )
        except (BotoCoreError, ClientError, OSError) as error:
            raise self._refusal(error) from error
        return answer

    def _refusal(self, error: Exception) -> S3Refused:
        from botocore import exceptions as boto

        where = f"{self.source.name} ({self.source.endpoint_url or 'Amazon S3'})"
        if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError):
            said = f"The server has no credentials for {where}."
        elif isinstance(error, boto.ProfileNotFound):
            said = f"The source {self.source.name} wants the profile {self.source.profile}, which the server does not have."
        elif isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError | boto.ReadTimeoutError):
            said = f"{where} cannot be reached."
        elif isinstance(error, boto.ClientError):
            said = self._answered(error.response, where)
        else:
            said = f"{where} cannot be read: {error}"
        return S3Refused(said, is_passing=_is_passing(error))

    def _answered(self, response: dict[str, Any], where: str) -> str:
        code = str(response["Error"].get("Code", ""))
        match code:
            case "NoSuchBucket":
                return f"There is no bucket {self.name} at {where}."
            case "NoSuchKey" | "404":
                return "The object is not there any more."
            case "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken" | "401":
                return f"{where} does not accept the server's credentials ({code})."
            case "AccessDenied" | "403" | "AllAccessDisabled":
                return f"The server's credentials do not allow it to read the bucket {self.name} at {where}."
            case "PermanentRedirect" | "AuthorizationHeaderMalformed" | "301" | "IllegalLocationConstraintException":
                right = response["Error"].get("Region") or "another region"
                return f"The bucket {self.name} is in {right}; the source {self.source.name} says {self.source.region}."
        return f"{where} answered {code}: {response['Error'].get('Message', 'no reason')}"


def _is_passing(error: Exception) -> bool:
    """Whether the same may go well in a minute."""
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) in (429, 500, 502, 503, 504)
    return isinstance(error, boto.HTTPClientError | boto.ConnectionError | boto.ResponseStreamingError | OSError)


def _found(answer: dict[str, Any]) -> list[Found]:
    """Without the empty objects that stand for folders."""
    return [
        Found(entry["Key"], int(entry["Size"]), entry["LastModified"])
        for entry in answer.get("Contents", [])
        if not entry["Key"].endswith("/")
    ]
