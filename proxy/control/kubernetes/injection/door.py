"""The webhook: what the API server asks before it takes a Pod (admission.k8s.io/v1).

POST /v1/inject     an AdmissionReview with a request; the same with a response, which always allows the Pod
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import web

from proxy.control.api.answers import refused
from proxy.control.api.bodies import json_object
from proxy.control.kubernetes.injection.containers import Settings
from proxy.control.kubernetes.injection.pod import Injection, inject
from proxy.control.kubernetes.selecting import carried, first_of, labels_of, number_of
from proxy.control.trust import Trust

Object = dict[str, Any]
_VERSION = "admission.k8s.io/v1"


class InjectionDoor:
    """`services` are those of the cluster as it is now, `trust` is what proxies are to believe, None for nothing."""

    def __init__(
        self, image: str, control: str, services: Callable[[], list[Object]], trust: Callable[[], Trust | None]
    ) -> None:
        self._image, self._control, self._services, self._trust = image, control, services, trust

    def routes(self) -> list[web.RouteDef]:
        """To be added to an application."""
        return [web.post("/v1/inject", self._review)]

    async def _review(self, request: web.Request) -> web.Response:
        review = await json_object(request)
        try:
            if (review["apiVersion"], review["kind"]) != (_VERSION, "AdmissionReview"):
                raise ValueError(f"{review['kind']} of {review['apiVersion']}")
            asked = review["request"]
            uid, made = str(asked["uid"]), self._decide(asked)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise refused(web.HTTPBadRequest, f"expected an AdmissionReview of {_VERSION} ({error})") from None
        return web.json_response({"apiVersion": _VERSION, "kind": "AdmissionReview", "response": response(uid, made)})

    def _decide(self, asked: Object) -> Injection:
        pod, namespace = asked["object"], str(asked["namespace"])
        if asked["operation"] != "CREATE" or asked["kind"]["kind"] != "Pod":
            return Injection()
        trust = self._trust()
        if trust is None:
            return Injection(warnings=("whymesh: no proxy in this Pod: the Mesh has no spec.authority",))
        settings = Settings(self._image, self._control, pem(trust))
        return inject(pod, namespace, _port(self._services(), namespace, pod), settings)


def response(uid: str, made: Injection) -> Object:
    """Of an AdmissionReview."""
    said: Object = {"uid": uid, "allowed": True}
    if made.patch:
        said |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(made.patch).encode()).decode()}
    return said | ({"warnings": list(made.warnings)} if made.warnings else {})


def pem(trust: Trust) -> str:
    """The roots as a file has them."""
    return "".join(ssl.DER_cert_to_PEM_cert(base64.b64decode(root)) for root in trust.roots)


def _port(services: list[Object], namespace: str, pod: Object) -> int | None:
    """The port of the Pod that its Service leads to."""
    service = first_of(services, namespace, labels_of(pod))
    port = carried(service) if service else None
    return number_of(port.get("targetPort", port["port"]), pod["spec"]["containers"]) if port else None
