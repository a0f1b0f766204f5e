#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""pod.py: the Pod that the first workload on standard input asks for, as `podman play kube` takes it: podman knows no
DaemonSet, maps ports only where there is a network, and restarts init containers too, for ever (4.3)."""

import sys

import yaml

workload = next(document for document in yaml.safe_load_all(sys.stdin) if "template" in document.get("spec", {}))
template = workload["spec"]["template"]
for container in template["spec"]["containers"]:
    container.pop("ports", None)
pod = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": workload["metadata"]["name"], **template["metadata"]},
    "spec": {**template["spec"], "restartPolicy": "Never"},
}
yaml.safe_dump(pod, sys.stdout, sort_keys=False)
