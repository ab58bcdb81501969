"""The pages as Streamlit runs them, over a real store."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboards
from dashboards import ask
from tests.world.hooks import hook
from tests.world.processes import free_port, running
from tests.world.telemetry import SERVICES, TITLE

APP = Path(dashboards.__file__).with_name("app.py")
GRAPH, INCIDENTS, SECURITY, SQL = (
    f"views/{name}.py" for name in ("service_graph", "incident_list", "security_overview", "sql_console")
)


def page(monkeypatch: pytest.MonkeyPatch, store: str, path: str = GRAPH, **query: str) -> AppTest:
    """The app on one of its pages, run once, with nothing gone wrong."""
    monkeypatch.setenv("WHYMESH_STORE", store)
    app = AppTest.from_file(APP, default_timeout=60)
    if path != GRAPH:
        app.run().switch_page(path)  # it learns which pages there are by running once
    for name, value in query.items():
        app.query_params[name] = value
    return whole(app.run())


@contextmanager
def engine_over(store: str, folder: Path, *webhooks: str) -> Iterator[str]:
    """A root-cause engine that has webhooks, and the address of its API."""
    url = f"http://127.0.0.1:{free_port()}"
    told = [part for hook in webhooks for part in ("--webhook", hook)]
    options = ("--store", store, "--listen", url.removeprefix("http://"), *told)
    with running("rootcause", *options, log=folder / "rootcause.log") as process:
        process.ready(f"{url}/healthz")
        yield url


def whole(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def words(app: AppTest) -> str:
    """Everything the page says, as it reads: without the backslashes that keep text from being markup."""
    kinds = (app.markdown, app.caption, app.subheader, app.info, app.success, app.error, app.warning, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def test_the_graph_page_lists_every_service_with_the_suspect_first(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop)
    assert app.get("echarts_chart")
    listed = list(app.table[0].value["service"])
    assert listed[0] == "**payments** :red-badge[suspect]"
    assert {name.split("*")[2] for name in listed} == set(SERVICES)
    assert TITLE in words(app)
    assert list(app.table[1].value["kind"]) == ["rollout"]


def test_a_service_from_the_list_fills_the_panel(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop)
    whole(app.selectbox(key="pick").select("recommendations").run())
    assert app.subheader[0].value == "recommendations"
    tables = [list(table.value.columns) for table in app.table]
    assert ["version", "instance", "rate", "errors", "own time", "p95"] in tables


def test_an_address_opens_the_page_as_it_was_shared(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, pick="checkout → payments", last="15 min", edges="p95", live="false")
    assert app.subheader[0].value == "checkout → payments"
    assert app.segmented_control(key="last").value == "15 min"
    assert app.segmented_control(key="edges").value == "p95"
    assert app.toggle(key="live").value is False


def test_opening_an_example_draws_its_waterfall(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, pick="payments")
    charts = len(app.get("echarts_chart"))
    example = next(button for button in app.button if (button.key or "").startswith("open-"))
    whole(example.click().run())
    assert len(app.get("echarts_chart")) == charts + 1
    assert "spans of" in words(app)


def test_only_trouble_keeps_the_page_whole(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop)
    assert app.get("echarts_chart")
    whole(app.toggle(key="trouble").set_value(True).run())
    assert app.get("echarts_chart")


def test_the_incident_page_shows_the_whole_proof(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, INCIDENTS)
    text = words(app)
    assert TITLE in text
    assert "build 41 to build 42" in text
    assert "Incident inc-payments · ann looks after it" in text
    assert list(app.table[0].value["where"]) == ["**payments**", "**front**"]
    assert list(app.table[0].value["added"]) == ["+226 ms", "+14 ms"]
    assert "only 60 % of what the proxies of shipping counted has spans" in text
    assert list(app.table[2].value["service"]) == ["**inventory**", "**checkout**"]
    assert "FROM otel.mesh_routes" in text
    assert list(app.table[1].value["service"]) == ["**payments**", "**shipping**"]
    assert list(app.table[1].value["explains"]) == ["94 %", "3 %"]
    assert len(app.get("echarts_chart")) == 2


def test_nobody_is_told_by_a_page_that_does_not_know_the_engine(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, INCIDENTS)
    assert "whymesh webhooks --test" in words(app)
    assert not app.button


def test_the_webhooks_are_tried_from_the_page(monkeypatch: pytest.MonkeyPatch, shop: str, tmp_path: Path) -> None:
    with hook() as good, hook() as bad, engine_over(shop, tmp_path, good.url, bad.url) as url:
        bad.open = False
        monkeypatch.setenv("WHYMESH_ROOTCAUSE", url)
        app = page(monkeypatch, shop, INCIDENTS)
        assert f"`{good.url}`  \nof all services" in words(app)
        whole(app.button(key="try-webhooks").click().run())
        (delivered,), (failed,) = app.success, app.error[-1:]
        assert "delivered" in delivered.value
        assert "answered 503: the receiver is in trouble" in failed.value.replace("\\", "")
        # Beside it the engine may tell what it makes of the shop, when it comes to that.
        tried = [
            message["finding"] for message in good.got if message.get("finding", {}).get("id", "").startswith("test-")
        ]
        assert [(one["title"], one["state"]) for one in tried] == [
            ("Test message: nothing is wrong", "open"),
            ("Test message: nothing is wrong", "resolved"),
        ]


def test_an_engine_that_is_away_is_said_above_what_it_found(monkeypatch: pytest.MonkeyPatch, calm: str) -> None:
    monkeypatch.setenv("WHYMESH_ROOTCAUSE", f"http://127.0.0.1:{free_port()}")
    app = page(monkeypatch, calm, INCIDENTS)
    assert "The root-cause engine does not answer" in app.error[0].value
    assert "Connection refused" in app.error[0].value
    assert not app.success, "nobody knows whether something is wrong"


def test_a_query_runs_and_shows_rows_and_figures(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, SQL, sql="SELECT Service, sum(Calls) AS calls FROM otel.mesh_routes GROUP BY Service")
    whole(app.button[0].click().run())
    assert set(app.dataframe[0].value["Service"]) == set(SERVICES)
    assert "**8 rows**" in words(app)
    assert re.search(r"read [1-9][\d,]* rows.* expected [1-9][\d,]* rows of mesh_routes", words(app))
    whole(app.text_input(key="find").set_value("OwnDurations").run())
    assert set(app.dataframe[0].value["Service"]) == set(SERVICES), "looking a column up loses the result"
    assert "OwnDurations" in words(app)


def test_a_link_may_ask_for_its_query_to_be_run_once(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, SQL, sql="SELECT 42 AS answer", run="true")
    assert list(app.dataframe[0].value["answer"]) == [42]


def test_a_result_is_cut_at_its_bound_and_says_so(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, SQL, sql="SELECT SpanId FROM otel.otel_traces", rows="100 rows")
    whole(app.button[0].click().run())
    assert len(app.dataframe[0].value) == 100
    assert "cut at the bound" in words(app)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nope FROM otel.mesh_routes", "Unknown expression"),
        ("SELEC 1", "Syntax error"),
        ("DROP TABLE otel.otel_traces", ""),
    ],
)
def test_a_refused_query_is_answered_in_clickhouse_own_words(
    monkeypatch: pytest.MonkeyPatch, shop: str, sql: str, said: str
) -> None:
    app = page(monkeypatch, shop, SQL, sql=sql)
    whole(app.button[0].click().run())
    assert "ClickHouse answered with error" in app.error[0].value
    assert said in app.code[0].value
    assert "Stack trace" not in app.code[0].value


def test_an_example_is_run_when_it_is_taken(monkeypatch: pytest.MonkeyPatch, shop: str) -> None:
    app = page(monkeypatch, shop, SQL)
    whole(app.selectbox(key="example").select("Who calls whom").run())
    assert "outside" in set(app.dataframe[0].value["caller"])


def test_an_empty_store_says_what_to_do(monkeypatch: pytest.MonkeyPatch, nothing: str) -> None:
    text = words(page(monkeypatch, nothing))
    assert "No traffic was recorded" in text
    assert "whymesh demo" in text


def test_the_security_page_of_an_empty_store_claims_nothing(monkeypatch: pytest.MonkeyPatch, nothing: str) -> None:
    assert "No traffic was recorded in this time" in words(page(monkeypatch, nothing, SECURITY))


def test_a_mesh_without_encryption_is_not_called_safe(monkeypatch: pytest.MonkeyPatch, calm: str) -> None:
    app = page(monkeypatch, calm, SECURITY)
    assert set(app.table[0].value["protection"]) == {":gray-badge[not looked for]"}
    assert "No call was denied" in app.success[0].value


def test_without_data_the_incident_page_does_not_say_that_all_is_well(
    monkeypatch: pytest.MonkeyPatch, nothing: str
) -> None:
    assert "Not enough data to tell" in words(page(monkeypatch, nothing, INCIDENTS))


def test_nothing_wrong_is_said_with_what_it_rests_on(monkeypatch: pytest.MonkeyPatch, calm: str) -> None:
    said = page(monkeypatch, calm, INCIDENTS).success[0].value
    assert "Nothing is wrong" in said
    assert "requests to 8 services" in said


def test_only_trouble_of_a_calm_shop_is_none(monkeypatch: pytest.MonkeyPatch, calm: str) -> None:
    assert "No trouble" in page(monkeypatch, calm, trouble="true").success[0].value


def test_a_store_of_another_version_is_said_with_what_to_do() -> None:
    def script() -> None:
        from collector.store.errors import QueryFailed
        from dashboards import ask

        with ask.answered():
            raise QueryFailed(60, "Unknown table expression identifier 'otel.mesh_security'")

    said = words(whole(AppTest.from_function(script).run()))
    assert "This store has other tables than this page knows" in said
    assert "mesh_security" in said
    assert "start the one of this version" in said


@pytest.mark.parametrize("path", [GRAPH, INCIDENTS, SECURITY, SQL])
def test_a_store_that_is_away_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    store = f"clickhouse://127.0.0.1:{free_port()}/otel"
    app = page(monkeypatch, store, path)
    assert "The store is away" in app.error[0].value


def test_the_store_of_this_machine_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHYMESH_STORE", raising=False)
    assert ask.store_url() == ask.DEFAULT_STORE
