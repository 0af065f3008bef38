"""Settings of the site, read from the environment. Knows defaults that suit one machine.
Knows nothing of how Postgres and Redis are started (see `config.embedded`)."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF

from config import accelerator, embedded

BASE_DIR = Path(__file__).resolve().parents[2]
env = environ.Env()
# The operator's own values, where there are any; the environment itself wins over the file.
ENV_FILE = Path(os.environ.get("IDIOLECT_ENV_FILE", BASE_DIR / ".env"))
if ENV_FILE.is_file():
    env.read_env(ENV_FILE)

VAR = Path(env("IDIOLECT_VAR", default=str(BASE_DIR / "var")))
DEBUG = env.bool("DEBUG", default=False)
SITE_URL = env("IDIOLECT_SITE_URL", default="http://localhost:8000").rstrip("/")
SECURE = SITE_URL.startswith("https://")
# On one machine a key is made once and kept; a deployment passes its own to every host.
SECRET_KEY = env("SECRET_KEY", default="") or embedded.kept_secret(VAR / "secret_key")
ALLOWED_HOSTS = [
    urlsplit(SITE_URL).hostname or "localhost",
    "localhost",
    "127.0.0.1",
    *env.list("ALLOWED_HOSTS", default=[]),
]
CSRF_TRUSTED_ORIGINS = [SITE_URL]

INSTALLED_APPS = [
    "config",
    "accounts",
    "adapters",
    "inference",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "rest_framework",
    "django_htmx",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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

# Postgres and Redis: named by the environment, or the embedded ones that `manage.py up` runs.
DATABASES = {"default": environ.Env.db_url_config(env("DATABASE_URL", default="") or embedded.database_url(VAR))}
REDIS_URL = env("REDIS_URL", default="") or embedded.redis_url(VAR)
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "voices:list"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SECURE else "http"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_FORMS = {
    "signup": "accounts.forms.SignupForm",
    "login": "accounts.forms.LoginForm",
    "add_email": "accounts.forms.AddEmailForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
}

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Idiolect <idiolect@localhost>")

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env("IDIOLECT_STATIC_ROOT", default=str(VAR / "static")))
MEDIA_ROOT = VAR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
# A pasted text that is too long is told so by the page, in words, and not by Django.
DATA_UPLOAD_MAX_MEMORY_SIZE = 24 << 20

SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("TRUST_PROXY", default=False) else None
# The health check of a container speaks plain HTTP to itself.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "inference.api.errors.openai_error",
    "UNAUTHENTICATED_USER": None,
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "imports"
CELERY_TASK_ROUTES = {"adapters.tasks.run_training": {"queue": "training"}}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "run" / "beat")
CELERY_BEAT_SCHEDULE = {
    "sweep-training": {"task": "adapters.tasks.sweep_training", "schedule": 15.0},
    "sweep-checkpoints": {"task": "adapters.tasks.sweep_checkpoints", "schedule": 300.0},
    "sweep-imports": {"task": "adapters.tasks.sweep_imports", "schedule": 30.0},
    "sweep-generations": {"task": "inference.tasks.sweep_generations", "schedule": 30.0},
}

# The models
BASE_MODEL = env("IDIOLECT_BASE_MODEL", default="smollm2-135m-instruct")
MODELS = Path(env("IDIOLECT_MODELS", default=str(VAR / "models")))
ADAPTER_STORE = Path(env("IDIOLECT_ADAPTER_STORE", default=str(VAR / "adapters")))
DEVICE = env("IDIOLECT_DEVICE", default="auto")
DTYPE = env("IDIOLECT_DTYPE", default="auto")
INFERENCE_URL = env("IDIOLECT_INFERENCE_URL", default="http://127.0.0.1:8100").rstrip("/")
INFERENCE_SECRET = env("IDIOLECT_INFERENCE_SECRET", default="") or embedded.kept_secret(VAR / "inference_secret")
# Passed on to the worker; empty is its own default.
INFERENCE_MEMORY = env("IDIOLECT_INFERENCE_MEMORY", default="")
INFERENCE_HOST_MEMORY = env("IDIOLECT_INFERENCE_HOST_MEMORY", default="")
METRICS_PREFIX = env("IDIOLECT_METRICS_PREFIX", default="")
ON_GPU = accelerator.on_gpu(DEVICE)
# What training holds the base model in: see adapters/training/precision.py.
TRAIN_BASE = env("IDIOLECT_TRAIN_BASE", default="auto")
# So many jobs share one loaded base model; on a CPU two would only take each other's time.
TRAINING_JOBS = accelerator.number(env("IDIOLECT_TRAIN_JOBS", default="auto"), auto=8 if ON_GPU else 1)
CELERY_WORKER_CONCURRENCY = TRAINING_JOBS  # the other queue's worker says its own number
# Texts that are written at every measurement. On two CPU cores each takes some seconds.
TRAINING_SAMPLES = accelerator.number(env("IDIOLECT_TRAIN_SAMPLES", default="auto"), auto=3 if ON_GPU else 1)
# Long texts that a finished voice writes, and the base model beside it, to be judged by.
TRAINING_TEXTS = accelerator.number(env("IDIOLECT_TRAIN_TEXTS", default="auto"), auto=8 if ON_GPU else 2)
# Limits: in training at once, and waiting or in training, of one author; waiting on the whole site.
TRAINING_AT_ONCE_PER_AUTHOR = env.int("IDIOLECT_TRAIN_AT_ONCE_PER_AUTHOR", default=4)
TRAINING_ACTIVE_PER_AUTHOR = env.int("IDIOLECT_TRAIN_ACTIVE_PER_AUTHOR", default=20)
TRAINING_QUEUE_LIMIT = env.int("IDIOLECT_TRAIN_QUEUE_LIMIT", default=500)
# A job whose heartbeat is older than this has lost its worker.
TRAINING_HEARTBEAT_TIMEOUT = env.int("IDIOLECT_HEARTBEAT_TIMEOUT", default=60)
TRAINING_ATTEMPTS = env.int("IDIOLECT_TRAINING_ATTEMPTS", default=3)
# Trainings that were cancelled can be continued for so long.
CHECKPOINT_DAYS = env.int("IDIOLECT_CHECKPOINT_DAYS", default=14)
# A trainer that says nothing for so long is stuck: it is ended, and its jobs go on from their checkpoints.
TRAINING_SILENCE_SECONDS = env.int("IDIOLECT_TRAINING_SILENCE_SECONDS", default=1800)
TRAINING_IDLE_SECONDS = env.int("IDIOLECT_TRAINING_IDLE_SECONDS", default=600)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {"httpx": {"level": "WARNING"}},
}
