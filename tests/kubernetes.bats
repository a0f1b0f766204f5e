#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# packaging/kubernetes: the manifests are valid, and their Pods run locked from unmodified images. podman plays the kubelet:
# it runs the init container, the security context and the probe, from the same text.

# shellcheck disable=SC2154 # status, output, stderr: set by bats

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helpers
load containers/support

MANIFESTS=$REPO/packaging/kubernetes
IPC_LOCK=0000000000004000

setup_file() {
    # Each test says by itself why it is skipped.
    [ -z "$(lacking_outermost)$(lacking_podman)" ] || return 0
    engine_start || return 1
    engine_base_image docker || return 1
    make_images || return 1
    engine_docker save duende-run:init redis:7-bookworm quay.io/prometheus/node-exporter:v1.8.2 |
        engine_podman load >/dev/null 2>&1
}

teardown_file() { engine_stop; }

# The launcher's, and two that know nothing of it: Debian's programs under the names of the images that the manifests run.
make_images() {
    build -t duende-run:init --target init -f "$REPO/docker/Dockerfile" "$REPO" || return 1
    cat >"$BATS_FILE_TMPDIR/Dockerfile" <<'DOCKERFILE'
ARG BASE
FROM ${BASE} AS programs
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends prometheus-node-exporter redis-server \
    && ln -s /usr/bin/prometheus-node-exporter /bin/node_exporter
FROM programs AS redis
CMD ["redis-server"]
FROM programs AS node-exporter
USER nobody
ENTRYPOINT ["/bin/node_exporter"]
DOCKERFILE
    build -t redis:7-bookworm --target redis "$BATS_FILE_TMPDIR" || return 1
    build -t quay.io/prometheus/node-exporter:v1.8.2 --target node-exporter "$BATS_FILE_TMPDIR"
}

build() {
    ENGINE_TIMEOUT=600 engine_docker build --quiet --network=host --build-arg BASE="$ENGINE_BASE" "$@" >"$BATS_FILE_TMPDIR/log" 2>&1 ||
        { cat "$BATS_FILE_TMPDIR/log" && return 1; }
}

setup() {
    scratch=$BATS_TEST_TMPDIR
    pod=
}

teardown() {
    [ -z "$pod" ] || engine_podman pod rm -f -t 0 "$pod" >/dev/null 2>&1
    common_teardown
}

lacking_kubernetes_models() {
    /usr/bin/python3 -c 'import kubernetes.client, yaml' 2>/dev/null || echo "not installed: python3-kubernetes"
}

# Debian 12's kubernetes-client has kustomize 2.0.3, which takes no folder among resources.
lacking_kustomize() { kustomize version >/dev/null || echo "neither kustomize nor kubectl 1.21 or later is here"; }

kustomize() {
    if [ "$1" = version ]; then
        type -P kustomize || kubectl version --client 2>/dev/null | grep -E '(Client Version: v1\.|GitVersion:"v1\.)(2[1-9]|[3-9])'
    elif type -P kustomize >/dev/null; then
        command kustomize "$@"
    else
        kubectl kustomize "${@:2}"
    fi
}

validate() { "$TESTS/kubernetes/validate.py" "$@"; }

# --- text ------------------------------------------------------------------------------------------------------------------

@test "the manifests are valid: types, required fields, no key that there is not" {
    requires kubernetes_models
    run validate "$MANIFESTS"/base/*.yaml "$MANIFESTS"/overlay/*.yaml
    assert_success
    assert_output ""
}

@test "a manifest with a mistake is not valid: wrong key, type, level, missing field, kind" {
    requires kubernetes_models
    local mistake mistakes=(
        's/readOnlyRootFilesystem/readOnlyRootFileSystem/' 's/livenessProbe/livenessCheck/' 's/emptyDir:/emptyDirectory:/'
        's/allowPrivilegeEscalation: false/allowPrivilegeEscalation: "no"/' 's/runAsUser: 0/runAsUser: root/'
        's/drop: \["ALL"\]/drop: ALL/' 's/periodSeconds: 10/periodSeconds: 10s/'
        '/mountPath/d' '/^  selector:/,/locked$/d' 's/- name: duende-run/- title: duende-run/'
        's/^  template:/  metadata:/' 's/^apiVersion: .*/apiVersion: apps\/v2/'
    )
    for mistake in "${mistakes[@]}"; do
        sed "$mistake" "$MANIFESTS/base/deployment.yaml" >"$scratch/mistake.yaml"
        ! cmp -s "$MANIFESTS/base/deployment.yaml" "$scratch/mistake.yaml" || fail "no mistake: $mistake"
        run validate "$scratch/mistake.yaml"
        [ "$status" -eq 1 ] && [ -n "$output" ] || fail "not found: $mistake"
    done
}

@test "kustomize: the overlay puts all into its namespace, takes the image from the registry, and is valid" {
    requires kubernetes_models
    requires kustomize
    run --separate-stderr kustomize build "$MANIFESTS/overlay"
    assert_success
    printf '%s\n' "$output" >"$scratch/overlay.yaml"
    assert_equal "$(grep -c '^  namespace: locked$' "$scratch/overlay.yaml")" 2
    assert_equal "$(grep -c 'image: registry.example.com/duende-run:init$' "$scratch/overlay.yaml")" 2
    assert_line --regexp '^ +image: redis:7-bookworm$'
    assert_line '    pod-security.kubernetes.io/enforce: privileged'
    run validate "$scratch/overlay.yaml"
    assert_success
}

# --- Pods ------------------------------------------------------------------------------------------------------------------

# play WORKLOAD [SED-EXPRESSION]: the Pod of base/WORKLOAD.yaml, once it is up. Sets pod and started (podman's output).
play() {
    sed "${2:-}" "$MANIFESTS/base/$1.yaml" | "$TESTS/kubernetes/pod.py" >"$scratch/pod.yaml"
    pod=$(awk '$1 == "name:" { print $2; exit }' "$scratch/pod.yaml")
    started=$(engine_podman play kube --network none "$scratch/pod.yaml" 2>&1) || fail "$started"
}

# main_process CONTAINER PROGRAM: sets pid.
main_process() {
    pid=$(engine_podman inspect --format '{{.State.Pid}}' "$1")
    [ "$pid" -gt 0 ] || fail "$(engine_podman logs "$1" 2>&1)"
    wait_until_sleeping "$pid" "$2"
}

capabilities() {
    printf '%s %s %s\n' "$(field CapPrm "/proc/$1/status")" "$(field CapEff "/proc/$1/status")" "$(field CapAmb "/proc/$1/status")"
}

@test "the Deployment's Pod: redis of an unmodified image is locked as its own user, with IPC_LOCK alone, and the probe says so" {
    requires outermost
    requires podman "it plays the kubelet"
    requires kubernetes_models
    play deployment
    main_process redis-locked-redis redis-check-rdb
    wait_for 20 engine_podman exec redis-locked-redis redis-cli ping
    assert_locked "$pid"
    assert_equal "$(capabilities "$pid")" "$IPC_LOCK $IPC_LOCK $IPC_LOCK"
    [ "$(field Uid "/proc/$pid/status" | cut -f 2)" -ne 0 ]
    assert_equal "$(field NoNewPrivs "/proc/$pid/status")" 1
    run engine_podman healthcheck run redis-locked-redis
    assert_success
}

@test "the DaemonSet's Pod: node_exporter of an unmodified image is locked as root with IPC_LOCK alone, and the probe says so" {
    requires outermost
    requires podman "it plays the kubelet"
    requires kubernetes_models
    play daemonset
    main_process node-exporter-locked-node-exporter prometheus-node-exporter
    assert_locked "$pid" on-fault
    assert_equal "$(capabilities "$pid")" "$IPC_LOCK $IPC_LOCK 0000000000000000"
    run engine_podman healthcheck run node-exporter-locked-node-exporter
    assert_success
}

@test "a Pod without IPC_LOCK: the program does not run, the remedy is a Pod's, and the probe of an unlocked one fails" {
    requires outermost
    requires podman "it plays the kubelet"
    requires kubernetes_models
    # The kubelet sets this variable in every container; podman does not.
    play deployment 's/"IPC_LOCK", //; s/^\( *\)command: \["\/duende\/duende-run", "--required"/\1env: [{name: KUBERNETES_SERVICE_HOST, value: 10.96.0.1}]\n&/'
    wait_for 20 has_exited redis-locked-redis
    run engine_podman inspect --format '{{.State.ExitCode}}' redis-locked-redis
    assert_output 120
    run engine_podman logs redis-locked-redis
    assert_output --partial 'securityContext: {capabilities: {add: [IPC_LOCK]}}'
    refute_output --regexp '[Dd]ocker|[Pp]odman|Redis'

    engine_podman pod rm -f -t 0 "$pod" >/dev/null 2>&1
    play deployment 's/"--required", "--user/"--quiet", "--user/; s/"IPC_LOCK", //'
    main_process redis-locked-redis redis-check-rdb
    run engine_podman healthcheck run redis-locked-redis
    assert_failure
}

has_exited() { [ "$(engine_podman inspect --format '{{.State.Status}}' "$1")" = exited ]; }
