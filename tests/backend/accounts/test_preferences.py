"""What a person prefers is kept on the server, in a shape that is checked."""

import pytest

PATH = "/api/me/preferences/"


@pytest.fixture
def own(admin, as_user):
    return as_user(admin)


def change(client, **changes):
    return client.patch(PATH, changes, format="json")


def test_they_stay_until_they_are_changed_and_null_is_as_usual_again(own, admin):
    assert own.get(PATH).json() == {}
    change(own, keys={"undo": ["Ctrl+U"], "fit": []}, language="de")
    change(own, opacity=0.5, hover_preview=False)
    everything = {"keys": {"undo": ["Ctrl+U"], "fit": []}, "language": "de", "opacity": 0.5, "hover_preview": False}
    assert own.get(PATH).json() == everything
    assert change(own, keys=None, opacity=None).json() == {"language": "de", "hover_preview": False}
    admin.refresh_from_db()
    assert admin.preferences == {"language": "de", "hover_preview": False}


WRONG = {
    "too opaque": {"opacity": 1.5},
    "no number": {"opacity": "nan"},
    "neither yes nor no": {"hover_preview": "sometimes"},
    "no language": {"language": "<script>"},
    "keys without commands": {"keys": ["Ctrl+U"]},
    "chords that are no list": {"keys": {"undo": "Ctrl+U"}},
    "a long chord": {"keys": {"undo": ["x" * 41]}},
    "many chords": {"keys": {"undo": ["A", "B", "C", "D", "E"]}},
    "a long name": {"keys": {"x" * 65: ["A"]}},
    "many commands": {"keys": {str(number): ["A"] for number in range(201)}},
    "many bytes": {"keys": {f"{number:060}": ["x" * 40] * 4 for number in range(190)}},
    "something else": {"colour": "red"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_preference_is_refused_and_nothing_changes(own, wrong):
    change(own, language="de")
    reply = own.patch(PATH, wrong, format="json")
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input")
    assert own.get(PATH).json() == {"language": "de"}


def test_a_body_that_is_no_object_is_refused(own):
    for body in ([], "x", 3):
        assert own.patch(PATH, body, format="json").status_code == 400


def test_nobody_has_no_preferences(client):
    assert client.get(PATH).status_code == 401
    assert client.patch(PATH, {}, content_type="application/json").status_code in (401, 403)
