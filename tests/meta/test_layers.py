import tomllib

from django.conf import settings

# Not a layer: it starts the product and imports the composition root.
OUTSIDE = {"stellapromote.__init__"}


def test_every_module_of_the_kernel_has_a_layer() -> None:
    """import-linter says nothing about a module that no layer names."""
    configuration = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in configuration["contracts"] if contract["id"] == "layers")
    named = {module.strip() for layer in layers for module in layer.split("|")}
    kernel = settings.BASE_DIR / "stellapromote"
    found = {f"stellapromote.{path.stem}" for path in kernel.glob("*.py")}
    found |= {f"stellapromote.{path.parent.name}" for path in kernel.glob("*/__init__.py")}
    assert found - OUTSIDE == {name for name in named if name.startswith("stellapromote.")}
