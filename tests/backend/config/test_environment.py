"""What the environment says, and what is missing of it."""

import pytest

from backend.config.environment import NOWHERE, PRODUCTION_NEEDS, database_settings, read_environment
from backend.launch.sentence import Sentence

GIVEN = {
    "DATABASE_URL": "postgresql://maskloop@db/maskloop",
    "REDIS_URL": "redis://redis:6379/0",
    "STORAGE_URL": "s3://bucket/prefix",
    "SECRET_KEY": "x" * 50,
    "ALLOWED_HOSTS": "maskloop.example.org",
}


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch, tmp_path):
    for name in (*PRODUCTION_NEEDS, "BROKER_URL", "WORK_FOLDER", "MASKLOOP_LOCAL", "MASKLOOP_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAR", str(tmp_path / "var"))


@pytest.mark.parametrize("name", PRODUCTION_NEEDS)
def test_one_variable_of_production_is_enough_to_ask_for_all_others(name, monkeypatch):
    monkeypatch.setenv(name, GIVEN[name])
    with pytest.raises(Sentence) as refused:
        read_environment()
    others = ", ".join(other for other in PRODUCTION_NEEDS if other != name)
    assert f"Production needs {others} in the environment" in str(refused.value)
    assert f"because {name} is set" in str(refused.value)


def test_all_of_them_are_production_and_it_does_not_work_in_memory(monkeypatch):
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    environment = read_environment()
    assert environment.production
    assert str(environment.work_folder) == "/var/tmp/maskloop"


def test_where_it_has_to_be_production_a_file_that_was_not_read_is_noticed(monkeypatch):
    monkeypatch.setenv("MASKLOOP_ENV", "production")
    monkeypatch.setenv("MASKLOOP_LOCAL", "1")
    with pytest.raises(Sentence, match=f"Production needs {', '.join(PRODUCTION_NEEDS)} in the environment"):
        read_environment()


def test_nothing_given_is_a_local_run_and_so_is_anything_with_the_word_for_it(monkeypatch):
    assert not read_environment().production
    monkeypatch.setenv("SECRET_KEY", "of another program")
    monkeypatch.setenv("MASKLOOP_LOCAL", "1")
    assert not read_environment().production


def test_without_a_running_database_no_other_one_of_this_machine_is_taken():
    assert database_settings(read_environment().database_url, pooled=False)["HOST"] == NOWHERE
