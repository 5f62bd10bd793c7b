from django.db import migrations

_FUNCTION = """
CREATE FUNCTION public.promotions_has_path() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF EXISTS (SELECT FROM public.accounts_product
               WHERE tenant_id = NEW.tenant_id AND slug = NEW.product AND path IS NOT NULL)
       AND NOT jsonb_exists(convert_from(NEW.requirements, 'UTF8')::jsonb, 'path') THEN
        RAISE EXCEPTION 'Product % has a path of its own, which the snapshot of this promotion lacks.', NEW.product
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promotion_has_path';
    END IF;
    RETURN NEW;
END
$body$;
CREATE TRIGGER promotions_promotion_has_path BEFORE INSERT ON promotions_promotion
    FOR EACH ROW EXECUTE FUNCTION public.promotions_has_path();
"""
_FUNCTION_BACK = """
DROP TRIGGER promotions_promotion_has_path ON promotions_promotion;
DROP FUNCTION public.promotions_has_path();
"""


class Migration(migrations.Migration):
    """A process that does not know paths of products requests no promotion past one (docs/adr/0240)."""

    dependencies = [("promotions", "0050_run_of_a_deployment"), ("accounts", "0018_paths_of_products")]

    operations = [migrations.RunSQL(_FUNCTION, _FUNCTION_BACK)]
