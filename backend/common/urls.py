from django.urls import path

from backend.common.stream import stream

urlpatterns = [path("stream/", stream)]
