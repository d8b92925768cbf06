from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "backend.training"

    def ready(self) -> None:
        from backend.training import subscriptions  # noqa: F401
