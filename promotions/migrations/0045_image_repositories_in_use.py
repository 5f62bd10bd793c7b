from collections import defaultdict
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from stellapromote.ids import new_id
from stellapromote.image_repositories import canonical

_IN_USE = """
SELECT r.tenant_id, c.image_repository, p.id, min(r.created_at)
FROM promotions_component c JOIN promotions_release r ON r.id = c.release_id AND r.finalized_at IS NOT NULL
JOIN accounts_product p ON p.tenant_id = r.tenant_id AND p.slug = r.product
GROUP BY 1, 2, 3
"""
_MAKE = """
INSERT INTO accounts_imagerepository (id, tenant_id, name, product_id, is_shared, created_at)
VALUES (%s, %s, %s, %s, false, %s) ON CONFLICT (tenant_id, name) DO NOTHING
"""


def _bind(_: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    products: dict[Any, set[Any]] = defaultdict(set)
    began: dict[Any, Any] = {}
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(_IN_USE)
        for tenant, name, product, at in cursor.fetchall():
            repository = (tenant, canonical(name))
            products[repository].add(product)
            began[repository] = min(at, began.get(repository, at))
        rows = [
            [new_id(), tenant, name, next(iter(found)) if len(found) == 1 else None, began[tenant, name]]
            for (tenant, name), found in products.items()
        ]
        cursor.executemany(_MAKE, rows)


class Migration(migrations.Migration):
    """A repository belongs to the product whose finalized releases alone have its images; one of several products is
    undecided (domain.md §1b)."""

    dependencies = [("promotions", "0044_found_by_product"), ("accounts", "0010_image_repositories")]

    operations = [migrations.RunPython(_bind, migrations.RunPython.noop)]
