# SPDX-License-Identifier: Apache-2.0
"""The settings of a process, and the only module that reads the environment.

Each field's `metadata` has its environment variable and its help: the command line's options and
docs/configuration.md are made from them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from gitprompt.errors import UsageError


def _setting(default: Any, env: str, about: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"env": env, "help": about, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What `gitprompt serve` needs to know."""

    data: str = _setting(
        "data", "GITPROMPT_DATA", "Folder for repositories, index, telemetry and salt."
    )
    repo: str = _setting(
        "", "GITPROMPT_REPO", "Serve this local repository in place, as the workspace 'default'."
    )
    fetch: bool = _setting(
        False,
        "GITPROMPT_FETCH",
        "With --repo: fetch from the clone's remote when a webhook says so, and every 60 seconds.",
    )
    origin: str = _setting(
        "",
        "GITPROMPT_ORIGIN",
        "Serve a mirror of this repository, a URL or a path, as the workspace 'default': it is fetched"
        " when a webhook says so, and every 60 seconds; what is written here is pushed there first.",
    )
    root: str = _setting(
        "",
        "GITPROMPT_ROOT",
        "With --repo or --origin: the folder of the repository that has prompts/, if no root in"
        " gitprompt.yaml names it.",
    )
    host: str = _setting("127.0.0.1", "HOST", "Address to listen on.")
    port: int = _setting(3000, "PORT", "Port to listen on; 0 takes a free one.")
    trusted_proxies: str = _setting(
        "",
        "GITPROMPT_TRUSTED_PROXIES",
        "Addresses or CIDR blocks of reverse proxies, comma-separated, whose X-Forwarded-For, -Proto,"
        " -Host and -Prefix are believed; nobody's by default.",
    )
    root_path: str = _setting(
        "",
        "GITPROMPT_ROOT_PATH",
        "The path below which a reverse proxy serves this, such as /gitprompt, whether or not it takes"
        " it off.",
    )
    workers: int = _setting(1, "GITPROMPT_WORKERS", "Processes that serve. Only 1 for now.")
    driver: str = _setting(
        "filesystem",
        "DRIVER",
        "Where repositories come from: filesystem (hosted here, served in place with --repo, or mirrors of"
        " --origin), github, s3, or postgres (in the database of DATABASE_URL).",
    )
    github_repo: str = _setting(
        "",
        "GITHUB_REPO",
        "With DRIVER=github: owner/repository for the workspace 'default', or workspace=owner/repository for"
        " each, comma-separated.",
    )
    github_api_url: str = _setting(
        "https://api.github.com",
        "GITHUB_API_URL",
        "The API of GitHub, or of an Enterprise server: https://HOST/api/v3.",
    )
    github_writes: str = _setting(
        "auto",
        "GITHUB_WRITES",
        "How to write there: push, api (Git Data API and GraphQL), or auto: push, and where the token may not,"
        " api.",
    )
    github_app_id: str = _setting(
        "", "GITHUB_APP_ID", "With DRIVER=github: be this GitHub App, instead of GITHUB_TOKEN."
    )
    github_sync_interval_ms: int = _setting(
        0,
        "GITHUB_SYNC_INTERVAL_MS",
        "Milliseconds between two looks at GitHub; 0: 60000 with a webhook secret, and 15000 without.",
    )
    s3_bucket: str = _setting("", "S3_BUCKET", "With DRIVER=s3: the bucket; it must exist.")
    s3_region: str = _setting("us-east-1", "S3_REGION", "Its region.")
    s3_endpoint: str = _setting(
        "", "S3_ENDPOINT", "URL of a store that speaks the protocol of S3; by default that of AWS."
    )
    s3_prefix: str = _setting("", "S3_PREFIX", "What all keys begin with, such as prompts/.")
    poll_seconds: float = _setting(
        1.0,
        "GITPROMPT_POLL_SECONDS",
        "Seconds between looks at the refs; a poke does not wait for it.",
    )
    max_push_bytes: int = _setting(1_000_000_000, "GITPROMPT_MAX_PUSH_BYTES", "Largest push.")
    max_connections: int = _setting(
        1_000,
        "GITPROMPT_MAX_CONNECTIONS",
        "Most connections from one address; trusted proxies may have more.",
    )
    max_push_refs: int = _setting(50_000, "GITPROMPT_MAX_PUSH_REFS", "Most refs of a push.")
    max_push_files: int = _setting(
        100_000,
        "GITPROMPT_MAX_PUSH_FILES",
        "Most files below prompts/ and evals/ that a push may change.",
    )
    max_push_documents: int = _setting(
        256_000_000, "GITPROMPT_MAX_PUSH_DOCUMENTS", "Most bytes of the documents of a push."
    )
    max_push_seconds: float = _setting(
        60.0, "GITPROMPT_MAX_PUSH_SECONDS", "Seconds that judging a push may take."
    )
    max_git_seconds: float = _setting(
        3_600.0, "GITPROMPT_MAX_GIT_SECONDS", "Seconds that a fetch or push may take in all."
    )
    git_memory: int = _setting(
        2_000_000_000,
        "GITPROMPT_GIT_MEMORY",
        "Address space of a process that handles a push or fetch.",
    )
    max_otlp_bytes: int = _setting(
        20_971_520,
        "GITPROMPT_MAX_OTLP_BYTES",
        "Largest OTLP export: exporters do not split theirs.",
    )
    max_body_bytes: int = _setting(
        10_000_000, "GITPROMPT_MAX_BODY_BYTES", "Largest body of any other request."
    )
    max_held_bytes: int = _setting(
        512_000_000,
        "GITPROMPT_MAX_HELD_BYTES",
        "Memory that the bodies of all requests in flight may take, four bytes for each of theirs.",
    )
    max_render_bytes: int = _setting(
        2_000_000, "GITPROMPT_MAX_RENDER_BYTES", "Largest document that is rendered."
    )
    rate_limit: int = _setting(
        0, "GITPROMPT_RATE_LIMIT", "Requests a minute for each key; 0 is no limit."
    )
    ui_auth: str = _setting(
        "key",
        "GITPROMPT_UI_AUTH",
        "How people come to the pages at /ui: key (they sign in with an API key), proxy (a proxy before this"
        " names them), local (nobody signs in, read only, on loopback alone), or off.",
    )
    ui_changes: str = _setting(
        "labels",
        "GITPROMPT_UI_CHANGES",
        "What the pages may change: none, labels, or all (versions and keys, too).",
    )
    ui_session_hours: float = _setting(
        12.0, "GITPROMPT_UI_SESSION_HOURS", "Hours after which a session of the pages ends."
    )
    ui_idle_hours: float = _setting(
        2.0, "GITPROMPT_UI_IDLE_HOURS", "Hours without a request after which it ends."
    )
    ui_proxy_from: str = _setting(
        "",
        "GITPROMPT_UI_PROXY_FROM",
        "With --ui-auth proxy: addresses or CIDR blocks of the proxies that are believed, comma-separated.",
    )
    ui_proxy_user_header: str = _setting(
        "X-Forwarded-User",
        "GITPROMPT_UI_PROXY_USER_HEADER",
        "The header in which it names who asks.",
    )
    ui_proxy_groups_header: str = _setting(
        "X-Forwarded-Groups",
        "GITPROMPT_UI_PROXY_GROUPS_HEADER",
        "The header that has their groups.",
    )
    ui_proxy_scopes: str = _setting(
        "*=read",
        "GITPROMPT_UI_PROXY_SCOPES",
        "What each group may, such as prompt-admins=read,write,admin;*=read; '*' is whoever has a name.",
    )
    keep_days: int = _setting(
        0, "GITPROMPT_KEEP_DAYS", "Days that telemetry is kept, rollups excepted; 0 keeps it all."
    )
    prices: str = _setting(
        "shipped",
        "GITPROMPT_PRICES",
        "Price table for calls that come without a cost: a prices.yaml, 'none', or the small dated"
        " one that is 'shipped'.",
    )
    metrics_namespace: str = _setting(
        "gitprompt", "GITPROMPT_METRICS_NAMESPACE", "What the names of metrics begin with."
    )
    metrics_addr: str = _setting(
        "",
        "GITPROMPT_METRICS_ADDR",
        "host:port to serve /metrics on, and only there; without it, beside everything else.",
    )
    metrics_auth: str = _setting(
        "auto",
        "GITPROMPT_METRICS_AUTH",
        "What /metrics asks for: none, token, or auto: a token if one is set, if the address is not loopback, or if a proxy is before it.",
    )
    metrics_buckets: str = _setting(
        "",
        "GITPROMPT_METRICS_BUCKETS",
        "Buckets of histograms: eval_score=0.5,1;tool_call_duration_seconds=1,10,60.",
    )
    metrics_caps: str = _setting(
        "",
        "GITPROMPT_METRICS_CAPS",
        "How many values a label may have before the rest is 'other': model=300;prompt=500.",
    )
    metrics_run_expiry: float = _setting(
        3600.0,
        "GITPROMPT_METRICS_RUN_EXPIRY",
        "Seconds after which a run that never ended is not counted as active.",
    )
    otlp_endpoint: str = _setting(
        "",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTLP over HTTP: export the sidecar's own spans to <URL>/v1/traces; needs the extra 'otel'.",
    )
    otlp_traces_endpoint: str = _setting(
        "",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "The same for the exact URL of traces; it wins over the endpoint of all signals.",
    )
    forward_traces: str = _setting(
        "no", "GITPROMPT_FORWARD_TRACES", "yes: pass ingested spans on to the OTLP endpoint too."
    )
    log_requests: str = _setting(
        "changes",
        "GITPROMPT_LOG_REQUESTS",
        "A line for each request at level info: all, none, or changes: what changes prompts, labels,"
        " suites or keys, and what is refused.",
    )
    log_level: str = _setting("info", "LOG_LEVEL", "debug (each request), info, warning or error.")
    log_format: str = _setting("text", "LOG_FORMAT", "text or json.")
    salt: str = _setting(
        "",
        "API_KEY_SALT",
        "Salt for the hashes of API keys; without it, one is made and kept in the data folder.",
        secret=True,
    )
    ui_proxy_secret: str = _setting(
        "",
        "GITPROMPT_UI_PROXY_SECRET",
        "What a proxy must send in X-Gitprompt-Proxy-Secret, if anybody else can reach this from its address.",
        secret=True,
    )
    metrics_token: str = _setting(
        "",
        "GITPROMPT_METRICS_TOKEN",
        "Token that a scrape of /metrics must send, if it needs one; a key of all workspaces works as well.",
        secret=True,
    )
    database_url: str = _setting(
        "",
        "DATABASE_URL",
        "Where keys, audit, pins and telemetry are: a SQLite file (sqlite:./pm.db, or its path), or PostgreSQL"
        " for several nodes: postgres://user:password@host:5432/database (extra 'postgres'). By default"
        " <data>/telemetry.db.",
        secret=True,
    )
    github_token: str = _setting(
        "",
        "GITHUB_TOKEN",
        "Token that may read the repositories of GITHUB_REPO, and write their contents.",
        secret=True,
    )
    s3_access_key: str = _setting(
        "",
        "S3_ACCESS_KEY",
        "Access key of the bucket; without it, that of AWS's own variables or of the instance.",
        secret=True,
    )
    s3_secret_key: str = _setting("", "S3_SECRET_KEY", "Its secret.", secret=True)
    github_app_private_key: str = _setting(
        "",
        "GITHUB_APP_PRIVATE_KEY",
        "Private key of the GitHub App: the text of its .pem file, or the path of it.",
        secret=True,
    )
    github_webhook_secret: str = _setting(
        "",
        "GITHUB_WEBHOOK_SECRET",
        "Secret of the GitHub webhook; several, comma-separated, during rotation.",
        secret=True,
    )
    gitlab_webhook_secret: str = _setting(
        "", "GITLAB_WEBHOOK_SECRET", "The same for GitLab.", secret=True
    )
    gitea_webhook_secret: str = _setting(
        "", "GITEA_WEBHOOK_SECRET", "The same for Gitea and Forgejo.", secret=True
    )
    bitbucket_webhook_secret: str = _setting(
        "", "BITBUCKET_WEBHOOK_SECRET", "The same for Bitbucket.", secret=True
    )
    generic_webhook_secret: str = _setting(
        "", "GITPROMPT_WEBHOOK_SECRET", "The same for any other sender.", secret=True
    )


def server_settings(
    options: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> ServerSettings:
    """Settings from options (None: not given), then the environment, then the defaults."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for setting in fields(ServerSettings):
        text = options.get(setting.name)
        source = f"--{setting.name.replace('_', '-')}"
        if text is None:
            source = str(setting.metadata["env"])
            text = environ.get(source)
        if text is not None and text != "":
            values[setting.name] = _converted(text, setting.default, source)
    settings = ServerSettings(**values)
    if not 0 <= settings.port < 65536:
        raise UsageError(f"port {settings.port} is not between 0 and 65535")
    if settings.log_format not in ("text", "json"):
        raise UsageError(f"log format '{settings.log_format}' is neither text nor json")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise UsageError(f"log level '{settings.log_level}' is not debug, info, warning or error")
    if settings.log_requests not in ("all", "changes", "none"):
        raise UsageError(f"log requests '{settings.log_requests}' is not all, changes or none")
    if settings.metrics_auth not in ("auto", "none", "token"):
        raise UsageError(f"metrics auth '{settings.metrics_auth}' is not auto, none or token")
    if settings.github_writes not in ("auto", "push", "api"):
        raise UsageError(f"github writes '{settings.github_writes}' is not auto, push or api")
    if settings.ui_auth not in ("key", "proxy", "local", "off"):
        raise UsageError(f"ui auth '{settings.ui_auth}' is not key, proxy, local or off")
    if settings.ui_changes not in ("none", "labels", "all"):
        raise UsageError(f"ui changes '{settings.ui_changes}' is not none, labels or all")
    if not 0.01 <= settings.ui_idle_hours <= settings.ui_session_hours <= 8_760:
        raise UsageError(
            "ui idle hours and ui session hours must be between 0.01 and 8760, in this order"
        )
    if settings.forward_traces not in ("yes", "no"):
        raise UsageError(f"forward traces '{settings.forward_traces}' is neither yes nor no")
    if settings.forward_traces == "yes" and not traces_endpoint(settings):
        raise UsageError("there is nowhere to forward traces to", hint="Give --otlp-endpoint URL.")
    if not 1 <= settings.metrics_run_expiry <= 31_536_000:
        raise UsageError("metrics run expiry must be between 1 and 31536000 seconds")
    if options.get("root") and not (settings.repo or settings.origin):
        raise UsageError(
            "--root goes with --repo or --origin",
            hint="For a hosted repository its own gitprompt.yaml says it: root: services/chat",
        )
    database_location(settings.data, settings.database_url)
    if settings.workers != 1:
        raise UsageError("only one worker is supported", hint="Leave --workers at 1.")
    for name in ("rate_limit", "keep_days", "max_body_bytes", "max_otlp_bytes", "max_push_bytes", "max_render_bytes",
                 "max_push_refs", "max_push_files", "max_push_documents", "github_sync_interval_ms"):  # fmt: skip
        if not 0 <= getattr(settings, name) < 1 << 62:
            raise UsageError(f"{name.replace('_', ' ')} must be 0 or more")
    if not 1 <= settings.max_connections <= 1_000_000:
        raise UsageError("max connections must be between 1 and 1000000")
    if not 1 <= settings.max_git_seconds <= 86_400:
        raise UsageError("max git seconds must be between 1 and 86400")
    if not 1 <= settings.max_push_seconds <= 3_600:
        raise UsageError("max push seconds must be between 1 and 3600")
    if not 256_000_000 <= settings.git_memory < 1 << 62:
        raise UsageError("git memory must be 256000000 or more")
    if not 0.01 <= settings.poll_seconds <= 86_400:
        raise UsageError("poll seconds must be between 0.01 and 86400")
    return settings


def database_location(data: str, url: str | None = None) -> str:
    """Where the durable database of a data folder is, for `store.engines.engine_at`: what DATABASE_URL says,
    else a file in the folder. `url` None: that of the environment. Raises UsageError for another scheme."""
    if url is None:
        url = os.environ.get("DATABASE_URL", "")
    scheme, colon, place = url.partition(":")
    if not url:
        return f"sqlite:{os.path.join(data, 'telemetry.db')}"
    if not colon or "/" in scheme or "." in scheme:
        if "@" in url or url.lower().startswith("postgres"):  # it may have a password
            raise UsageError(
                "DATABASE_URL is no path of a SQLite file, and does not begin with postgres://",
                hint="Write postgres://user:password@host/database, or sqlite: before a path.",
            )
        return f"sqlite:{url}"
    scheme = scheme.lower()
    if scheme not in ("sqlite", "postgres", "postgresql") or not place:
        raise UsageError(
            f"DATABASE_URL begins with '{scheme}:', which names no database that is known here",
            hint="It is sqlite:./pm.db, the path of a SQLite file, or postgres://user:password@host/database."
            " If it is your application's, unset it for gitprompt.",
        )
    if scheme == "sqlite" and place.startswith("//"):
        place = place[2:]  # sqlite:///srv/pm.db
    return f"{scheme}:{place}"


def data_file(data: str, why: str) -> str:
    """The SQLite file of a data folder, which is in it, under whatever name DATABASE_URL gives it; raises UsageError
    for one that is elsewhere, with `why` for what to do instead where that is no file."""
    file = database_file(database_location(data))
    if file is None:
        raise UsageError(
            "DATABASE_URL names PostgreSQL, which has tools of its own for this", hint=why
        )
    if os.path.realpath(os.path.dirname(file) or ".") != os.path.realpath(data):
        raise UsageError(
            f"DATABASE_URL names {file}, and a backup is of a whole data folder",
            hint=f"Stop the server, move it into {data}, and name it there.",
        )
    return file


def database_file(location: str) -> str | None:
    """The file of a SQLite database; None for one that is no file of this machine."""
    scheme, _, place = location.partition(":")
    return place if scheme == "sqlite" else None


def _converted(given: Any, default: Any, source: str) -> Any:
    if isinstance(default, bool):
        if str(given).lower() not in _BOOLEANS:
            raise UsageError(f"{source}: '{given}' is neither yes nor no")
        return _BOOLEANS[str(given).lower()]
    try:
        return type(default)(given)
    except ValueError:
        raise UsageError(f"{source}: '{given}' is not a {type(default).__name__}") from None


_BOOLEANS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def data_folder(given: str | None) -> str:
    """The data folder of a command: its option, the environment, or the default."""
    return given or os.environ.get("GITPROMPT_DATA") or "data"


def traces_endpoint(settings: ServerSettings) -> str:
    """The exact URL to which spans are exported, empty: none are. The variables of OpenTelemetry's SDK mean
    here what they mean everywhere (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Raises
    UsageError for a protocol that is not spoken here."""
    url = settings.otlp_traces_endpoint
    if not url and settings.otlp_endpoint:
        url = settings.otlp_endpoint.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"
    is_off = (variable("OTEL_SDK_DISABLED") or "").lower() == "true"
    if not url or is_off or variable("OTEL_TRACES_EXPORTER") == "none":
        return ""
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = variable(name)
        if protocol and protocol != "http/protobuf":
            raise UsageError(
                f"{name} is {protocol}, and spans are exported with http/protobuf only",
                hint="Set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf, and an endpoint that"
                " takes it (port 4318 of a collector).",
            )
        if protocol:
            break
    return url


def variable(name: str) -> str | None:
    """One environment variable, for the command line's own use."""
    return os.environ.get(name)


CLIENT_FILE = "gitprompt.toml"


def client_file() -> Mapping[str, str]:
    """What the nearest gitprompt.toml at or above this folder says: server, workspace, api_key."""
    import tomllib

    folder = os.getcwd()
    while True:
        path = os.path.join(folder, CLIENT_FILE)
        if os.path.isfile(path):
            try:
                with open(path, "rb") as file:
                    table = tomllib.load(file)
            except (OSError, tomllib.TOMLDecodeError) as error:
                raise UsageError(f"{path} cannot be read: {error}") from error
            unknown = sorted(table.keys() - {"server", "workspace", "api_key"})
            if unknown or not all(isinstance(value, str) for value in table.values()):
                raise UsageError(
                    f"{path}: {', '.join(unknown) or 'a value is not text'}",
                    hint="It takes server, workspace and api_key, each as text.",
                )
            return table
        parent = os.path.dirname(folder)
        if parent == folder:
            return {}
        folder = parent
