from django.apps import AppConfig


class AnnotationConfig(AppConfig):
    name = "backend.annotation"

    def ready(self) -> None:
        from backend.annotation import subscriptions  # noqa: F401
