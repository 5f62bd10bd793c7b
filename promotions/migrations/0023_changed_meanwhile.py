from django.db import migrations

# A statement that must write all or nothing has no other way to say that it found nothing to write.
_CREATE = """
CREATE FUNCTION promotions_changed_meanwhile() RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION 'The row changed after it was read.' USING ERRCODE = 'serialization_failure';
END
$body$;
"""


class Migration(migrations.Migration):
    dependencies = [("promotions", "0022_numbers_of_the_board")]

    operations = [migrations.RunSQL(_CREATE, "DROP FUNCTION promotions_changed_meanwhile();")]
