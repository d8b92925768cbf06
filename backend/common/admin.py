from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from backend.common.models import Event


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    """What happened, recoveries included: `queue.lost`, and what is asked_again, taken_over, begun_anew, tried_again or
    expired."""

    list_display = ["created_at", "kind", "subject_id", "dataset_id", "by", "data", "delivered_at"]
    search_fields = ["kind"]
    ordering = ["-created_at"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
