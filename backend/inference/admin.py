from django.contrib import admin

from backend.inference.models import Embedding


@admin.register(Embedding)
class EmbeddingAdmin(admin.ModelAdmin):
    list_display = ["image", "state", "seconds", "attempts", "error"]
    list_filter = ["state"]
