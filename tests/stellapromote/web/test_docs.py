from django.conf import settings

from stellapromote.web.templatetags.ui import register

DOCUMENTED = (settings.BASE_DIR / "docs/web-components.md").read_text()


def test_every_tag_is_documented() -> None:
    assert [name for name in register.tags if f"{{% {name} " not in DOCUMENTED] == []
