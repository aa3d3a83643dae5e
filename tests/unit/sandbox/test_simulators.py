"""The simulators over real HTTP: they follow their scenarios, and the bridge's dialects can read them."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trustme
from aiohttp import web

from bridge.core.delivery import Status
from bridge.core.entries import Report
from bridge.core.errors import AuthenticationFailedError, PollFailedError, RateLimitedError
from bridge.providers.dexatel import Dexatel
from bridge.providers.dialect import Callback, PollAnswer, Polled
from bridge.providers.speedocom import Speedocom
from bridge.sandbox.simulator.fault_profiles import CALM, HOSTILE, CallbackFault, PollFault
from bridge.sandbox.simulator.options import PARTNER_ID, TOKEN, SimulatorOptions
from bridge.sandbox.simulator.scenarios import VOCABULARIES, make_scenario
from bridge.sandbox.simulator.server import Simulator, run_simulator
from tests.support.providers.reading import read_one

SECRET = "webhook-secret"
AN_HOUR_AGO = time.time() - 3600
"""A message submitted then has its whole life behind it."""
NO_POLL_FAULTS = replace(HOSTILE, poll_faults={})


class Inbox:
    """Receives callbacks and returns the configured statuses."""

    def __init__(self) -> None:
        self.url = ""
        self.callbacks: list[Callback] = []
        self.answers: Iterator[int] = iter(())

    async def take(self, request: web.Request) -> web.Response:
        """Store a callback as the bridge's receiver would pass it on."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        content_type = request.headers.get("Content-Type", "")
        body = await request.read()
        self.callbacks.append(Callback(request.method, request.rel_url.raw_query_string, content_type, body, headers))
        return web.Response(status=next(self.answers, 200))


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A server for callbacks."""
    made = Inbox()
    app = web.Application()
    app.router.add_route("*", "/dlr", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/dlr"
    yield made
    await runner.cleanup()


def make_dialect(simulator: Simulator, api: str = "legacy") -> Polled:
    """Return the bridge's dialect for a simulator."""
    if simulator.provider == "speedocom":
        return Speedocom("default", base_url=simulator.url, api_key=TOKEN, partner_id=PARTNER_ID)
    return Dexatel(
        "default",
        api="v1" if api == "v1" else "legacy",
        base_url=simulator.url,
        token=TOKEN,
        poll_path="/dlr/{id}",
        webhook_secret=SECRET if api == "v1" else None,
    )


async def ask(client: httpx.AsyncClient, dialect: Polled, provider_message_id: str) -> Report | None:
    """One poll, read."""
    question = dialect.build_poll_request(provider_message_id)
    response = await client.request(
        question.method, question.url, headers=dict(question.headers), content=question.body
    )
    answer = PollAnswer(response.status_code, response.headers.get("Retry-After"), response.content)
    return dialect.read_answer(answer, provider_message_id, 0)


@asynccontextmanager
async def run_simulated(provider: str, callback_url: str = "", **options: Any) -> AsyncIterator[Simulator]:
    """Run a fast simulator with callback faults but without poll faults."""
    settings = {"profile": NO_POLL_FAULTS, "speed": 50.0, "webhook_secret": SECRET, **options}
    async with Simulator(provider, SimulatorOptions(callback_url=callback_url, **settings)) as simulator:
        yield simulator


KINDS = [("dexatel", "legacy"), ("dexatel", "v1"), ("speedocom", "")]


@pytest.mark.parametrize(("provider", "api"), KINDS)
async def test_callbacks_match_the_scenarios(inbox: Inbox, provider: str, api: str) -> None:
    """Each scheduled callback arrives once, is readable, and final statuses have the expected meaning."""
    async with run_simulated(provider, inbox.url, api=api) as simulator:
        scenarios = [simulator.submit(str(1000 + number), AN_HOUR_AGO) for number in range(150)]
        await simulator.wait_until_drained()
        dialect = make_dialect(simulator, api)
    reports = [read_one(dialect, callback, 0) for callback in inbox.callbacks]
    assert None not in reports
    reported = Counter((r.provider_message_id, str(r.provider_status).lower()) for r in reports if r is not None)
    assert reported == Counter(
        (s.provider_message_id, callback.step.provider_status.lower()) for s in scenarios for callback in s.callbacks
    )
    for report in reports:
        assert report is not None
        scenario = simulator.scenarios[report.provider_message_id]
        if str(report.provider_status).lower() == str(scenario.final_provider_status).lower():
            assert report.verdict is not None
            assert report.verdict.status is scenario.expected
        if report.provider_status == VOCABULARIES[provider].unmapped:
            assert report.verdict is None
    assert simulator.counters["callback_acknowledged"] == simulator.counters["callback_sent"] == len(reports)
    assert simulator.counters["callback_lost"] == sum(CallbackFault.LOST in scenario.faults for scenario in scenarios)


@pytest.mark.parametrize(("provider", "api"), KINDS)
async def test_polls_match_the_scenarios(provider: str, api: str) -> None:
    """A poll at the end returns the final status, also if its callback was lost, or none if there is none."""
    async with run_simulated(provider, api=api) as simulator, httpx.AsyncClient() as client:
        dialect = make_dialect(simulator, api)
        for number in range(60):
            scenario = simulator.submit(f"m-{number}", AN_HOUR_AGO)
            report = await ask(client, dialect, scenario.provider_message_id)
            if scenario.final_provider_status is None:
                assert report is None or report.verdict is None or not report.verdict.final
                assert scenario.expected is Status.UNKNOWN
            else:
                assert report is not None
                assert report.verdict is not None
                assert (report.provider_status, report.verdict.status) == (
                    scenario.final_provider_status,
                    scenario.expected,
                )


@pytest.mark.parametrize(("provider", "api"), KINDS)
async def test_no_report_before_the_first_status(provider: str, api: str) -> None:
    """The same for unknown messages, in each form of the answer."""
    async with run_simulated(provider, api=api) as simulator, httpx.AsyncClient() as client:
        dialect = make_dialect(simulator, api)
        for number in range(20):
            simulator.submit(f"m-{number}", time.time() + 3600)
            assert await ask(client, dialect, f"m-{number}") is None
            assert await ask(client, dialect, f"nobody-{number}") is None
    assert simulator.counters["poll_no_report"] == 40


@pytest.mark.parametrize("provider", ["dexatel", "speedocom"])
async def test_wrong_credentials_are_refused(provider: str) -> None:
    """Dexatel by HTTP status, Speedocom by response code."""
    async with run_simulated(provider, token="x" * 32) as simulator, httpx.AsyncClient() as client:
        with pytest.raises(AuthenticationFailedError):
            await ask(client, make_dialect(simulator), "m-1")
        if provider == "dexatel":
            assert (await client.get(f"{simulator.url}/dlr/m-1", headers={"token": "wrong"})).status_code == 401
    assert simulator.counters["poll_refused"] >= 1


async def test_speedocom_answers_get() -> None:
    """As documented, although the bridge uses POST."""
    async with run_simulated("speedocom", profile=CALM) as simulator, httpx.AsyncClient() as client:
        scenario = simulator.submit("1889191", AN_HOUR_AGO)
        request = {"apikey": TOKEN, "partnerID": PARTNER_ID, "messageID": "1889191"}
        answer = (await client.get(f"{simulator.url}/api/services/getdlr", params=request)).json()
    assert (answer["response-code"], answer["delivery-description"]) == (200, scenario.final_provider_status)


async def test_dexatel_retries_five_times(inbox: Inbox) -> None:
    """A callback is retried until it is accepted or the retries are used up."""
    one_call = next(n for n in range(1000) if len(make_scenario(1, "dexatel", f"m-{n}", CALM).callbacks) == 1)
    inbox.answers = iter([503] * 6)
    async with run_simulated("dexatel", inbox.url, profile=CALM) as simulator:
        simulator.submit(f"m-{one_call}", AN_HOUR_AGO)
        await simulator.wait_until_drained()
    assert len(inbox.callbacks) == 6
    assert (simulator.counters["callback_retried"], simulator.counters["callback_given_up"]) == (5, 1)
    inbox.answers = iter([500, 503, 200])
    async with run_simulated("dexatel", inbox.url, profile=CALM) as simulator:
        simulator.submit(f"m-{one_call}", AN_HOUR_AGO)
        await simulator.wait_until_drained()
    assert (simulator.counters["callback_retried"], simulator.counters["callback_acknowledged"]) == (2, 1)


async def test_refused_callback_is_not_retried(inbox: Inbox) -> None:
    """A 404 is final."""
    inbox.answers = iter([404] * 100)
    async with run_simulated("speedocom", inbox.url, profile=CALM) as simulator:
        scenario = simulator.submit("1", AN_HOUR_AGO)
        await simulator.wait_until_drained()
    assert simulator.counters["callback_refused"] == len(scenario.callbacks) == len(inbox.callbacks)


async def test_unreachable_server_is_given_up() -> None:
    """The simulator keeps running."""
    async with run_simulated("speedocom", "http://127.0.0.1:9/dlr", profile=CALM) as simulator:
        scenario = simulator.submit("1", AN_HOUR_AGO)
        await simulator.wait_until_drained()
    assert simulator.counters["callback_given_up"] == len(scenario.callbacks)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (PollFault.RATE_LIMITED, RateLimitedError),
        (PollFault.ERROR, PollFailedError),
        (PollFault.UNAVAILABLE, PollFailedError),
        (PollFault.GARBAGE, PollFailedError),
        (PollFault.HANG, httpx.ReadTimeout),
    ],
)
@pytest.mark.parametrize("provider", ["dexatel", "speedocom"])
async def test_poll_faults_replace_the_answer(provider: str, fault: PollFault, error: type[Exception]) -> None:
    """The bridge's dialect reads each fault as the right error."""
    profile = replace(CALM, poll_faults={fault: 1.0})
    async with run_simulated(provider, profile=profile) as simulator, httpx.AsyncClient(timeout=0.3) as client:
        simulator.submit("1", AN_HOUR_AGO)
        with pytest.raises(error):
            await ask(client, make_dialect(simulator), "1")
    assert simulator.counters[f"poll_{fault}"] == 1


async def test_control_interface(inbox: Inbox) -> None:
    """Messages are submitted and scenarios are returned over HTTP; a repeated message is looked up."""
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    simulator = Simulator("dexatel", SimulatorOptions(callback_url=inbox.url, profile=CALM, speed=50.0))
    running = asyncio.create_task(run_simulator(simulator, listening.set_result))
    url = await listening
    async with httpx.AsyncClient(base_url=url) as client:
        scenario = (await client.post("/submit", json={"id": "m-1", "at": AN_HOUR_AGO})).json()
        assert (await client.post("/submit", json={"id": "m-1"})).json() == scenario
        assert (await client.post("/submit", json={"id": 1})).status_code == 400
        assert (await client.get("/truth")).json() == {"m-1": scenario}
        await simulator.wait_until_drained()
        assert (await client.get("/counters")).json()["callback_acknowledged"] == len(scenario["calls"])
    assert scenario["expected"] == make_scenario(1, "dexatel", "m-1", CALM).expected
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_simulator_over_tls() -> None:
    """A client that doesn't trust the certificate can't connect."""
    authority, trusting = trustme.CA(), ssl.create_default_context()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(trusting)
    async with Simulator("dexatel", SimulatorOptions(profile=CALM, tls=tls)) as provider:
        assert provider.url.startswith("https://")
        async with httpx.AsyncClient(verify=trusting) as client:
            assert (await client.get(f"{provider.url}/truth")).json() == {}
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{provider.url}/truth")


async def test_message_list() -> None:
    """It needs the key, has pages and filters, and a rate limit."""
    headers = {"X-Dexatel-Key": TOKEN}
    async with Simulator("dexatel", SimulatorOptions(profile=CALM)) as provider, httpx.AsyncClient() as client:
        url, now = f"{provider.url}/v1/messages", time.time()
        for number in range(25):
            provider.submit(f"id-{number}", now - 3600 - number)
        assert (await client.get(url)).status_code == 401
        first = (await client.get(url, headers=headers)).json()
        second = (await client.get(url, headers=headers, params={"page_token": first["next_page_token"]})).json()
        found = [row["id"] for row in first["data"] + second["data"]]
        assert (len(first["data"]), len(found), len(set(found)), second["next_page_token"]) == (20, 25, 25, None)
        late = {"filter[created_date_start]": f"{datetime.fromtimestamp(now - 3605, UTC):%Y-%m-%d %H:%M:%S}"}
        assert 5 <= len((await client.get(url, headers=headers, params=late)).json()["data"]) <= 7
        assert (await client.get(url, headers=headers, params={"page_size": "x"})).status_code == 400
    async with (
        Simulator("dexatel", SimulatorOptions(profile=CALM, pages_per_second=0.001)) as provider,
        httpx.AsyncClient() as client,
    ):
        answers = [await client.get(f"{provider.url}/v1/messages", headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert answers[1].headers["Retry-After"] == "1"
