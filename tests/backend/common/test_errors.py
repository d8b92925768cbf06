"""What leaves the API where something is wrong."""

import psycopg
import pytest
from django.db import InterfaceError, OperationalError

from backend.annotation import gallery_api

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("away", [OperationalError("the database system is starting up"), InterfaceError("closed")])
def test_while_the_database_is_away_whoever_asks_is_told_to_try_again(dataset, admin, as_user, monkeypatch, away):
    def ask(**_: object) -> None:
        raise away

    monkeypatch.setattr(gallery_api, "dataset_get", ask)
    reply = as_user(admin).get(f"/api/datasets/{dataset.id}/images/")
    assert (reply.status_code, reply.json()["code"]) == (503, "database_away")
    assert "starting" not in reply.json()["message"]


def test_a_deadlock_is_a_fault_and_not_told_as_a_database_that_is_away(dataset, admin, as_user, monkeypatch):
    def ask(**_: object) -> None:
        raise OperationalError("deadlock detected") from psycopg.errors.DeadlockDetected("deadlock detected")

    monkeypatch.setattr(gallery_api, "dataset_get", ask)
    with pytest.raises(OperationalError, match="deadlock"):
        as_user(admin).get(f"/api/datasets/{dataset.id}/images/")
