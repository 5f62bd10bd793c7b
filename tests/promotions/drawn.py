"""Promotions drawn at random, for tests that compare two forms of one rule: of any state, and with many instants alike.

Each is a copy of one that the real actions approved; a superuser changes what is drawn, within the database's checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

from environments.models import Environment
from promotions.models import Promotion, Release
from promotions.states import ACTIVE, Status
from tests import factories
from tests.database import CommittedDatabase
from tests.promotions.api.world import World, make_world

PRODUCTS = ("api", "web")


@dataclass(frozen=True)
class Drawn:
    world: World
    environments: list[Environment]
    releases: list[Release]
    people: list[UUID]
    promotions: list[Promotion]


def draw(database: CommittedDatabase, seed: int, *, count: int = 120) -> Drawn:
    """A committed world with so many drawn promotions; the same for a seed."""
    world = make_world()
    copied = world.approved()
    environments = [*world.environments.values(), factories.make_environment(world.greta.actor, "lab", 4)]
    releases = [world.release(f"drawn-{number}", product=PRODUCTS[number % 2]) for number in range(8)]
    # Nobody asks tomas, who has no right to approve, unless it ended a moment ago.
    people = [world.people[name].user.pk for name in ("nia", "mei", "omar", "tomas")]
    rows = _rows(Random(seed), copied, environments, releases, people, count)  # noqa: S311 - no secret
    columns = [column.column for column in Promotion._meta.local_concrete_fields if column.column]
    picked = ", ".join(f"%({name})s" if name in rows[0] else f"p.{name}" for name in columns)
    with database.as_superuser() as superuser, superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.cursor().executemany(
            f"INSERT INTO promotions_promotion ({', '.join(columns)}) SELECT {picked}"
            f" FROM promotions_promotion p WHERE p.id = '{copied.pk}'",
            rows,
        )
        superuser.execute("DELETE FROM promotions_promotion WHERE id = %s", [copied.pk])
        superuser.execute("UPDATE promotions_promotioncounter SET last_number = last_number + %s", [count])
    return Drawn(world, environments, releases, people, list(Promotion.objects.filter(tenant=world.tenant)))


def _rows(
    random: Random,
    copied: Promotion,
    environments: Sequence[Environment],
    releases: Sequence[Release],
    people: Sequence[UUID],
    count: int,
) -> list[dict[str, Any]]:
    numbers = list(range(copied.number + 1, copied.number + 1 + count))
    random.shuffle(numbers)
    taken: set[tuple[UUID, UUID]] = set()
    found = []
    for number in numbers:
        release, target = random.choice(releases), random.choice(environments)
        status = random.choice([*Status, Status.DEPLOYED, Status.DEPLOYED, Status.PENDING, Status.AWAITING_APPROVAL])
        if status in ACTIVE and (release.pk, target.pk) in taken:
            status = Status.CANCELLED
        elif status in ACTIVE:
            taken.add((release.pk, target.pk))
        at = copied.requested_at + timedelta(minutes=random.randrange(4))
        ended = status in {Status.DEPLOYED, Status.FAILED, Status.ROLLED_BACK}
        found.append(
            {
                "id": UUID(int=random.getrandbits(128), version=4),
                "number": number,
                "release_id": release.pk,
                "product": release.product,
                "target_environment_id": target.pk,
                "source_environment_id": random.choice([None, *(each.pk for each in environments)]),
                "is_rollback": random.random() < 0.3,
                "supersedes_older": random.random() < 0.6,
                "status": status.value,
                "open_voters": random.sample(people, random.randrange(len(people) + 1)),
                "started_at": at if ended or status is Status.DEPLOYING else None,
                "completed_at": at if ended else None,
                "attempt": 1,
                "deployment_lock": str(uuid4()),
            }
        )
    return found
