from django.apps import AppConfig


class AutolabelConfig(AppConfig):
    name = "backend.autolabel"

    def ready(self) -> None:
        from backend.autolabel import subscriptions  # noqa: F401
