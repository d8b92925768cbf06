"""Rolling back: one step further with each click, and never forth again."""

import pytest

from backend.checkpoints.models import BY_THE_GATE, Checkpoint, Deployment
from backend.checkpoints.services import deployment_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def promoted(dataset, live):
    """Two more models, each live after the one before."""

    def another(number):
        fields = {field.attname: getattr(live, field.attname) for field in Checkpoint._meta.concrete_fields}
        own = {"id": None, "name": f"model {number}", "storage_key": f"key {number}", "file_hash": f"hash {number}"}
        made = Checkpoint(**{**fields, **own, "dataset_id": dataset.id})
        made.id = Checkpoint._meta.get_field("id").get_default()
        made.save(force_insert=True)
        deployment_make(dataset=dataset, checkpoint=made, reason=BY_THE_GATE, by=None)
        return made

    return another(2), another(3)


@pytest.fixture
def client(admin, as_user, dataset):
    class Client:
        def before(self):
            told = as_user(admin).get(f"/api/datasets/{dataset.id}/checkpoints/").json()
            return next((one["id"] for one in told if one["is_before"]), None)

        def roll_back(self, **body):
            return as_user(admin).post(f"/api/datasets/{dataset.id}/rollback/", body, format="json")

    return Client()


def serving(dataset):
    return Deployment.objects.get(dataset=dataset, until__isnull=True).checkpoint


def test_each_time_it_is_one_model_further_back_and_never_the_bad_one_again(dataset, live, promoted, client):
    for target in (promoted[0], live):
        assert client.before() == str(target.id)
        assert client.roll_back().status_code == 201
        assert serving(dataset) == target
    assert client.before() is None
    assert client.roll_back().json()["code"] == "nothing_to_roll_back_to"
    assert serving(dataset) == live


def test_what_is_made_live_after_a_return_is_rolled_back_to_what_was_returned_to(dataset, promoted, client):
    second, third = promoted
    client.roll_back()
    deployment_make(dataset=dataset, checkpoint=third, reason="by hand", by=None)
    assert client.before() == str(second.id)


def test_a_click_goes_back_to_the_model_that_it_names_or_nowhere(dataset, live, promoted, client):
    second, third = promoted
    reply = client.roll_back(checkpoint=str(live.id))
    assert (reply.status_code, reply.json()["code"], serving(dataset)) == (409, "nothing_to_roll_back_to", third)
    for _ in range(2):  # a second click, or a second admin's
        assert client.roll_back(checkpoint=str(second.id)).status_code == 201
        assert serving(dataset) == second
    assert Deployment.objects.filter(dataset=dataset).count() == 4
