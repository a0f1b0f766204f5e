#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Validates Kubernetes manifests by the models of the Kubernetes API: types, required fields, and keys that there are not.

validate.py FILE...: "-" is standard input. Exit status 0 if all are valid, else what is wrong, one a line. Of a Kustomization
the keys are known that are used here.
Debian's python3-kubernetes has the models; deserialising with it would pass over unknown keys.
"""

import re
import sys

import kubernetes.client as models
import yaml

KUSTOMIZATION = {
    "apiVersion": "str",
    "kind": "str",
    "namespace": "str",
    "resources": "list[str]",
    "images": "list[dict(str, str)]",
}
PRIMITIVES = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}


def faults(kind, value, where):
    """What is wrong with VALUE as a KIND: a type in the notation of openapi_types."""
    container = re.fullmatch(r"list\[(.*)\]", kind)
    if container:
        if not isinstance(value, list):
            return [f"{where}: a list is wanted"]
        return [f for i, item in enumerate(value) for f in faults(container[1], item, f"{where}[{i}]")]
    container = re.fullmatch(r"dict\(str, (.*)\)", kind)
    if container:
        if not isinstance(value, dict):
            return [f"{where}: a mapping is wanted"]
        return [f for key, item in value.items() for f in faults(container[1], item, f"{where}.{key}")]
    if kind in PRIMITIVES:
        # A bool is an int to Python, not to Kubernetes.
        fits = isinstance(value, PRIMITIVES[kind]) and (kind in ("bool", "object") or not isinstance(value, bool))
        return [] if fits else [f"{where}: {kind} is wanted, not {value!r}"]
    return model_faults(getattr(models, kind), value, where)


def model_faults(model, value, where):
    if not isinstance(value, dict):
        return [f"{where}: {model.__name__} is wanted, not {value!r}"]
    names = {key: name for name, key in model.attribute_map.items()}
    found = []
    for key, item in value.items():
        if key in names:
            found += faults(model.openapi_types[names[key]], item, f"{where}.{key}")
        else:
            found.append(f"{where}: {model.__name__} has no key {key}")
    try:
        # The models check in their setters what is required, and ranges.
        model(**{names[key]: item for key, item in value.items() if key in names})
    except (ValueError, TypeError) as error:
        found.append(f"{where}: {error}")
    return found


def kustomization_faults(document):
    found = [f"Kustomization has no key {key}" for key in document.keys() - KUSTOMIZATION]
    for key in document.keys() & KUSTOMIZATION:
        found += faults(KUSTOMIZATION[key], document[key], f"Kustomization.{key}")
    keys = {key for image in document.get("images", []) for key in image}
    return found + [f"Kustomization.images has no key {key}" for key in keys - {"name", "newName", "newTag", "digest"}]


def object_faults(document):
    if document.get("kind") == "Kustomization":
        return kustomization_faults(document)
    group, _, version = document.get("apiVersion", "").rpartition("/")
    name = version.capitalize() + document.get("kind", "")
    if group not in ("", "apps") or not hasattr(models, name):
        return [f"no model for {document.get('apiVersion')} {document.get('kind')}"]
    return faults(name, document, document["kind"])


def main():
    found = []
    for path in sys.argv[1:]:
        text = sys.stdin.read() if path == "-" else open(path).read()
        documents = [document for document in yaml.safe_load_all(text) if document]
        found += [f"{path}: nothing in it"] if not documents else []
        found += [f"{path}: {fault}" for document in documents for fault in object_faults(document)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
