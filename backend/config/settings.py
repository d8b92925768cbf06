"""Django's settings. What differs between machines comes from `environment`."""

import os
from typing import Any

from backend.config.environment import database_settings, read_environment
from backend.config.sources import read_sources
from backend.launch.places import ROOT
from backend.launch.sentence import Sentence

environment = read_environment()

APPS = (
    "common",
    "accounts",
    "datasets",
    "checkpoints",
    "inference",
    "annotation",
    "autolabel",
    "review",
    "releases",
    "training",
    "insights",
)

BASE_DIR = ROOT
DEBUG = False
SECRET_KEY = environment.secret_key
ALLOWED_HOSTS = environment.allowed_hosts
ROOT_URLCONF = "backend.config.urls"
ASGI_APPLICATION = "backend.config.asgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    *(f"backend.{app}" for app in APPS),
]
MIGRATION_MODULES = {app: f"migrations.{app}" for app in APPS}
MIDDLEWARE = [
    "backend.config.headers.IsolationHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "backend.config.headers.CommonButHealth",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": database_settings(environment.database_url, pooled=bool(os.environ.get("DATABASE_POOL")))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": environment.redis_url}
}
REDIS_URL = environment.redis_url
STORAGE_URL = environment.storage_url
WORK_FOLDER = environment.work_folder
# Where workers find the text encoder: minilm:FOLDER, clip:FOLDER; "": the package that carries it, or the hub.
TEXT_ENCODER = os.environ.get("TEXT_ENCODER", "")
# Buckets that photos may be imported from, by name; see `backend.config.sources`.
try:
    S3_SOURCES = read_sources(os.environ.get("S3_SOURCES", ""))
except ValueError as error:
    raise Sentence(str(error)) from None
SESSION_ENGINE = "django.contrib.sessions.backends.db"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = environment.production
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if environment.production else None
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if environment.production else []
X_FRAME_OPTIONS = "DENY"

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # the few files of the admin and the API's page; no collecting step
FRONTEND_FOLDER = ROOT / "annotator_frontend" / "dist"
if FRONTEND_FOLDER.is_dir():
    WHITENOISE_ROOT = FRONTEND_FOLDER

BODY_MAX_BYTES = 1 << 20  # of one request, but for masks and files; see `limits`
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 << 20  # bytes of one JSON body: the run lengths of one large mask
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 << 20  # larger files go to disk while they arrive
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
MAX_IMAGE_PIXELS = 200_000_000
MAX_PHOTO_BYTES = 512 << 20  # of one file, packed
MAX_MASK_FILE_BYTES = 64 << 20  # of one file of masks that the page sends: it is read while the page waits
MAX_ARCHIVE_BYTES = 20 << 30  # unpacked
LEASE_MINUTES = 15
# Of each training of the detector; 0: as many as the engine takes. Fewer where it is to be quick rather than good.
DETECTOR_STEPS = int(os.environ.get("DETECTOR_STEPS", "0"))
AUTOLABEL_WINDOW = int(
    os.environ.get("AUTOLABEL_WINDOW", "1000")
)  # jobs of a run in the queue: twice the workers, or more
# Photos with proposals that are kept ready ahead of people. Not all of them: what comes later is proposed by a later model.
PROPOSALS_AHEAD = int(os.environ.get("PROPOSALS_AHEAD", "50"))
# Of the lots that each process draws, see `common.lots`; None: other ones each time.
LOTS_SEED = int(os.environ["LOTS_SEED"]) if os.environ.get("LOTS_SEED") else None
MAX_OPEN_ASSIGNMENTS = 3  # per person and dataset: the one in work, and those fetched ahead

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "backend.common.errors.exception_handler",
    "DEFAULT_THROTTLE_RATES": {"login": "10/minute", "invitation": "30/minute"},
    "NUM_PROXIES": 1 if environment.production else 0,  # whose X-Forwarded-For is believed
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Maskloop",
    "DESCRIPTION": "The data engine of Segment Anything: photos, masks, training runs, releases.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "/favicon.svg",
    "ENUM_NAME_OVERRIDES": {
        "Job": "backend.datasets.models.Job",
        "MaskOrigin": "backend.annotation.models.Origin",
        "AssignmentState": "backend.annotation.models.State",
        "MaskState": "backend.annotation.models.MaskState",
        "AutolabelRunState": "backend.autolabel.models.RunState",
        "AutolabelPrompts": "backend.autolabel.api.PROMPTS",
        "MemberRole": "backend.datasets.models.Role.choices",
        "TrainingRunState": "backend.training.models.RunState",
        "S3ImportState": "backend.datasets.models.ImportState",
        "ReleaseState": "backend.releases.models.ReleaseState",
    },
}

CELERY_BROKER_URL = environment.broker_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "batch"
CELERY_TASK_ROUTES = {
    # Short ones, which must not wait behind hours of work.
    **{
        f"backend.*.tasks.{name}": {"queue": "interactive"}
        for name in ("sweep_*", "expire_*", "run_due_*", "deliver_*")
    },
    "backend.checkpoints.tasks.export_decoder": {"queue": "interactive"},
    "backend.inference.tasks.make_text_token": {"queue": "interactive"},
    "backend.inference.tasks.decode_prompt": {"queue": "interactive"},
    "backend.training.tasks.work_on_training_run": {"queue": "training"},
    "backend.training.tasks.work_on_detector_run": {"queue": "training"},
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Longer than the longest task, so that a running one is not delivered again; what a dead worker left is
# found by the sweepers long before.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 24 * 3600}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": seconds}  # calls that pile up: see common.waking
    for name, task, seconds in [
        ("expire leases", "backend.annotation.tasks.expire_assignments", 30),
        ("sweep imports from S3", "backend.datasets.tasks.sweep_s3_imports", 60),
        ("sweep embeddings", "backend.inference.tasks.sweep_embeddings", 60),
        ("drop old embeddings", "backend.inference.tasks.sweep_old_embeddings", 600),
        ("sweep audits", "backend.review.tasks.sweep_audits", 60),
        ("sweep text tokens", "backend.inference.tasks.sweep_text_tokens", 60),
        ("sweep decoders", "backend.checkpoints.tasks.sweep_decoders", 60),
        ("sweep automatic labelling", "backend.autolabel.tasks.sweep_autolabel_jobs", 60),
        ("sweep detector runs", "backend.training.tasks.sweep_detector_runs", 30),
        ("sweep proposals", "backend.autolabel.tasks.sweep_proposals", 60),
        ("sweep training runs", "backend.training.tasks.sweep_training_runs", 30),
        ("retraining policies", "backend.training.tasks.run_due_policies", 60),
        ("sweep releases", "backend.releases.tasks.sweep_releases", 60),
        ("sweep events", "backend.common.tasks.sweep_events", 60),
        ("sweep questions", "backend.review.tasks.sweep_questions", 60),
        ("look after the queue", "backend.common.tasks.sweep_queue", 30),
        ("sweep unfinished files", "backend.common.tasks.sweep_files", 3600),
    ]
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # A refusal is an answer, not a warning.
        "django.request": {"level": "ERROR"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django_celery_beat": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
    },
}
