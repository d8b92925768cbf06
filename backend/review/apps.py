from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "backend.review"

    def ready(self) -> None:
        from backend.review import subscriptions  # noqa: F401
