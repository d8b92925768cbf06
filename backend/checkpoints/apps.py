from django.apps import AppConfig


class CheckpointsConfig(AppConfig):
    name = "backend.checkpoints"

    def ready(self) -> None:
        from backend.checkpoints import subscriptions  # noqa: F401
