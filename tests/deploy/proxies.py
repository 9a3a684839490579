# SPDX-License-Identifier: Apache-2.0
"""nginx, Caddy and Traefik, run with the files in deploy/ as they are, but for ports and the paths of certificates."""

from __future__ import annotations

import datetime
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.deploy.engine import TOOLS
from tests.pages import DEPLOY
from tests.prometheus import free_port
from tests.world import eventually

HOST = "prompts.example.com"
_NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include {folder}/gitprompt.conf;
}}
"""


class Tls(NamedTuple):
    """Paths of a certificate of HOST, which is its own authority, and of its key."""

    certificate: Path
    key: Path


def certificate(folder: Path) -> Tls:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    tls = Tls(folder / "fullchain.pem", folder / "privkey.pem")
    tls.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tls


def filled(name: str, **places: str) -> str:
    """A file of deploy/ with other places than those that it has."""
    text = (DEPLOY / name).read_text()
    for old, new in places.items():
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, upstream: str, tls: Tls) -> Sequence[str]:
    places = {
        "listen 443": f"listen 127.0.0.1:{port}",
        "127.0.0.1:3000": upstream,
        "/etc/nginx/tls/fullchain.pem": str(tls.certificate),
        "/etc/nginx/tls/privkey.pem": str(tls.key),
    }
    (folder / "gitprompt.conf").write_text(filled("nginx/gitprompt.conf", **places))
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    return "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")


def caddy(folder: Path, port: int, upstream: str, tls: Tls) -> Sequence[str]:
    site = f"https://{HOST}:{port} {{\n\ttls {tls.certificate} {tls.key}\n\tbind 127.0.0.1"
    places = {f"\n{HOST} {{": f"\n{site}", "127.0.0.1:3000": upstream}
    text = filled("caddy/Caddyfile", **places)
    alone = f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}\n}}\n"
    (folder / "Caddyfile").write_text(alone + text)
    return str(TOOLS / "caddy"), "run", "--config", str(folder / "Caddyfile")


def traefik(folder: Path, port: int, upstream: str, tls: Tls) -> Sequence[str]:
    places = {
        "127.0.0.1:3000": upstream,
        "/etc/traefik/tls/fullchain.pem": str(tls.certificate),
        "/etc/traefik/tls/privkey.pem": str(tls.key),
    }
    (folder / "gitprompt.yml").write_text(filled("traefik/gitprompt.yml", **places))
    places = {
        '":443"': f'"127.0.0.1:{port}"',
        "/etc/traefik/gitprompt.yml": f"{folder}/gitprompt.yml",
    }
    (folder / "traefik.yml").write_text(filled("traefik/traefik.yml", **places))
    return str(TOOLS / "traefik"), "--configfile", str(folder / "traefik.yml")


KINDS: dict[str, Callable[[Path, int, str, Tls], Sequence[str]]] = {
    "nginx": nginx,
    "caddy": caddy,
    "traefik": traefik,
}


class Proxy:
    """What listens at https://HOST:port/gitprompt."""

    def __init__(self, port: int, tls: Tls) -> None:
        self.port, self._tls = port, tls
        self.url = f"https://{HOST}:{port}/gitprompt"
        self.git = (
            "-c", f"http.sslCAInfo={tls.certificate}",
            "-c", f"http.curloptResolve={HOST}:{port}:127.0.0.1",
        )  # fmt: skip

    def request(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        """From the address 127.0.0.2, so that it is told apart from the proxy's."""
        context = ssl.create_default_context(cafile=str(self._tls.certificate))
        transport = httpx.HTTPTransport(verify=context, local_address="127.0.0.2")
        headers = {"Host": f"{HOST}:{self.port}", **options.pop("headers", {})}
        with httpx.Client(transport=transport, timeout=30) as client:
            return client.request(
                method,
                f"https://127.0.0.1:{self.port}/gitprompt{path}",
                headers=headers,
                extensions={"sni_hostname": HOST},
                **options,
            )

    def is_up(self) -> bool:
        try:
            return self.request("/health").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def proxy(kind: str, folder: Path, server: str) -> Iterator[Proxy]:
    """A proxy before a server that is started with --root-path /gitprompt. `server` is its URL."""
    folder.mkdir()
    port, tls = free_port(), certificate(folder)
    command = KINDS[kind](folder, port, server.removeprefix("http://"), tls)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    front = Proxy(port, tls)
    try:
        try:
            eventually(front.is_up, seconds=20)
        except AssertionError:
            raise AssertionError((folder / "log").read_text()) from None
        yield front
    finally:
        process.terminate()
        process.wait()


def is_there(kind: str) -> bool:
    return shutil.which("nginx") is not None if kind == "nginx" else (TOOLS / kind).exists()
