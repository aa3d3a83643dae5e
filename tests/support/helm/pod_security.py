"""The rules of Pod Security `restricted`."""

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def violations(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rules of `baseline` and `restricted` that a pod's spec violates."""
    pod = spec.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield name
    if pod.get("sysctls"):
        yield "sysctls"
    for volume in spec.get("volumes", []):
        if not (volume.keys() - {"name"}) <= VOLUMES:
            yield f"volume {volume['name']}"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for problem in _container(container, pod):
            yield f"{container['name']}: {problem}"


def _container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**pod, **own}
    capabilities = own.get("capabilities", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may escalate privileges"
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "keeps capabilities"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "may be root"
    if both.get("seccompProfile", {}).get("type") not in SECCOMP:
        yield "no seccomp profile"
    if both.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in SECCOMP:
        yield "no AppArmor profile"
    if both.get("seLinuxOptions", {}).keys() & {"user", "role"} or own.get("procMount", "Default") != "Default":
        yield "SELinux or /proc changed"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "a port of the host"
    if any(container.get(probe, {}).get("httpGet", {}).get("host") for probe in PROBES):
        yield "a probe of another host"
