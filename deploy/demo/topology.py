"""The shop as data: its services, their routes, what each route costs and whom it calls.

front -> catalog, recommendations, cart (side by side)      front -> checkout -> cart, payments, shipping (in turn)
catalog, cart, shipping -> inventory                        recommendations -> catalog
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One request to another service; `{id}` and `{user}` are filled in from the request being served."""

    service: str
    method: str
    path: str


@dataclass(frozen=True)
class Route:
    """What serving one route takes: waiting (median of a lognormal), computing, then stages of calls side by side."""

    method: str
    path: str
    wait_ms: float
    compute_ms: float = 0.2
    stages: tuple[tuple[Call, ...], ...] = ()


@dataclass(frozen=True)
class Shop:
    """One service of the shop and the version of each of its instances."""

    name: str
    versions: tuple[str, ...]
    routes: tuple[Route, ...]


STOCK = Call("inventory", "GET", "/stock")
STOCK_OF = Call("inventory", "GET", "/stock/{id}")
PRODUCTS = Call("catalog", "GET", "/products")
PRODUCT = Call("catalog", "GET", "/products/{id}")
CART = Call("cart", "GET", "/carts/{user}")

SHOPS = (
    Shop(
        "front",
        ("v1",),
        (
            Route("GET", "/", 2.0, stages=((PRODUCTS, Call("recommendations", "GET", "/for/{user}"), CART),)),
            Route(
                "GET",
                "/product/{id}",
                2.0,
                stages=((PRODUCT, Call("recommendations", "GET", "/similar/{id}")),),
            ),
            Route("POST", "/checkout", 3.0, stages=((Call("checkout", "POST", "/orders"),),)),
        ),
    ),
    Shop(
        "catalog",
        ("v1",),
        (
            Route("GET", "/products", 4.0, stages=((STOCK,),)),
            Route("GET", "/products/{id}", 2.0, stages=((STOCK_OF,),)),
        ),
    ),
    Shop("cart", ("v1",), (Route("GET", "/carts/{user}", 3.0, stages=((STOCK_OF,),)),)),
    Shop(
        "checkout",
        ("v1",),
        (
            Route(
                "POST",
                "/orders",
                4.0,
                stages=(
                    (CART,),
                    (Call("payments", "POST", "/charges"),),
                    (Call("shipping", "POST", "/shipments"),),
                ),
            ),
        ),
    ),
    Shop("payments", ("v1", "v1"), (Route("POST", "/charges", 12.0),)),
    Shop(
        "shipping",
        ("v1",),
        (Route("POST", "/shipments", 6.0, stages=((Call("inventory", "POST", "/stock/{id}/reservations"),),)),),
    ),
    Shop(
        "recommendations",
        ("v1", "v2"),
        (
            Route("GET", "/for/{user}", 5.0, stages=((PRODUCTS,),)),
            Route("GET", "/similar/{id}", 4.0, stages=((PRODUCT,),)),
        ),
    ),
    Shop(
        "inventory",
        ("v1",),
        (
            Route("GET", "/stock", 3.0),
            Route("GET", "/stock/{id}", 1.5),
            Route("POST", "/stock/{id}/reservations", 3.0),
        ),
    ),
)

BY_NAME = {shop.name: shop for shop in SHOPS}
ENTRY = "front"
