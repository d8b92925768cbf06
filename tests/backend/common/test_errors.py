"""What leaves the API where something is wrong."""

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
