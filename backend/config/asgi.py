"""The web process: `uvicorn backend.config.asgi:application`."""

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
os.environ.setdefault("DATABASE_POOL", "1")
application = get_asgi_application()

# WhiteNoise hands the build's files over as they would go to WSGI; Django reads each whole, and warns of it every time.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")
