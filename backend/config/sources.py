"""S3_SOURCES of the environment: the buckets that photos may be imported from.

S3_SOURCES='{"camera 3": {"buckets": ["factory-photos"], "users": ["ada"], "endpoint_url": "http://minio:9000"}}'
Without `users`, superusers alone may use it: anybody may make a dataset, and is its admin then. `profile` is one of ~/.aws.
"""

import json
from dataclasses import dataclass

_FIELDS = {"buckets", "users", "endpoint_url", "region", "profile"}


@dataclass(frozen=True, slots=True)
class Source:
    name: str
    buckets: tuple[str, ...]
    endpoint_url: str | None = None  # None: Amazon's
    region: str | None = None
    profile: str | None = None  # of ~/.aws/config; None: boto3's usual search
    users: tuple[str, ...] = ()  # names of those who may use it, besides superusers


def read_sources(text: str) -> dict[str, Source]:
    """
    Raises:
        ValueError: a sentence on what is wrong with S3_SOURCES.
    """
    if not text.strip():
        return {}
    try:
        given = json.loads(text)
        sources = {}
        for name, fields in given.items():
            if unknown := set(fields) - _FIELDS:
                raise ValueError(f"{name} has {', '.join(sorted(unknown))}; known are {', '.join(sorted(_FIELDS))}")
            if not fields["buckets"] or not all(isinstance(bucket, str) for bucket in fields["buckets"]):
                raise ValueError(f"{name} names no buckets")
            users = fields.get("users", [])
            if not isinstance(users, list) or not all(isinstance(user, str) for user in users):
                raise ValueError(f"the users of {name} are no list of names")
            sources[name] = Source(name, **{**fields, "buckets": tuple(fields["buckets"]), "users": tuple(users)})
        return sources
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f'S3_SOURCES is not {{"NAME": {{"buckets": ["..."]}}}}: {error}.') from error
