# SPDX-License-Identifier: Apache-2.0
"""The overlays, as kustomize writes them out, judged by the schemas of Kubernetes; and what a reviewer of a
cluster asks for."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.engine import TOOLS
from tests.pages import DEPLOY

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(
        not shutil.which("kubectl"),
        reason="kubectl 1.27 or newer is not installed: its kustomize writes out the overlays",
    ),
]

OVERLAYS = ("one-node", "three-nodes")
VERSIONS = ("1.28", "1.37")  # the first that is still in use somewhere, and today's
LABEL = {"app.kubernetes.io/name": "gitprompt"}


@cache
def written_out(overlay: str) -> str:
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / "overlays" / overlay)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def objects(overlay: str) -> dict[str, list[dict[str, Any]]]:
    """By their kind."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in yaml.safe_load_all(written_out(overlay)):
        by_kind[one["kind"]].append(one)
    return by_kind


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_schemas_of_kubernetes_accept_it(tmp_path: Path, overlay: str, version: str) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(written_out(overlay))
    command = [str(TOOLS / "kubernetes-validate"), "--strict", "-k", version, str(file)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    wrong = written_out(overlay).replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")
    file.write_text(wrong)
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(("overlay", "replicas"), [("one-node", 1), ("three-nodes", 3)])
def test_the_pods_are_as_hardened_as_the_image(overlay: str, replicas: int) -> None:
    (nodes,) = objects(overlay)["StatefulSet"]
    assert nodes["spec"]["replicas"] == replicas
    pod = nodes["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "GITPROMPT_PORT would be a setting of ours"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 1000
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"startupProbe", "readinessProbe", "livenessProbe", "resources"} <= set(container)
    mounted = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounted == {"data": "/app/data", "tmp": "/tmp"}
    assert nodes["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_of_them_select_the_same_pods_and_name_what_is_there(overlay: str) -> None:
    by_kind = objects(overlay)
    (nodes,) = by_kind["StatefulSet"]
    assert nodes["spec"]["template"]["metadata"]["labels"] == LABEL
    for service in by_kind["Service"]:
        assert service["spec"]["selector"] == LABEL
    (policy,) = by_kind["NetworkPolicy"]
    assert policy["spec"]["podSelector"]["matchLabels"] == LABEL
    (budget,) = by_kind["PodDisruptionBudget"]
    assert budget["spec"]["selector"]["matchLabels"] == LABEL
    assert nodes["spec"]["serviceName"] in {one["metadata"]["name"] for one in by_kind["Service"]}
    (settings,) = by_kind["ConfigMap"]
    (container,) = nodes["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [
        {"configMapRef": {"name": settings["metadata"]["name"]}},
        {"secretRef": {"name": "gitprompt"}},
    ]
    assert "Secret" not in by_kind, "a salt is made, not checked in"


def test_three_nodes_keep_git_and_telemetry_elsewhere() -> None:
    (settings,) = objects("three-nodes")["ConfigMap"]
    assert settings["data"]["DRIVER"] == "s3"
    assert settings["data"]["S3_BUCKET"]
