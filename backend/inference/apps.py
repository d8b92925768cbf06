from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "backend.inference"

    def ready(self) -> None:
        from backend.inference import subscriptions  # noqa: F401
