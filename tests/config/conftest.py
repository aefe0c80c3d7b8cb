import pytest

from netscript_workers import config


@pytest.fixture
def load(tmp_path):
    """Write a config and load it, away from this process's own environment and directory."""

    def load_text(text="", *, name="config.toml", environ=None, **options):
        path = tmp_path / name
        if text is not None:
            path.write_text(text, encoding="utf-8")
        return config.load(
            config.LoadOptions(
                path=path if text is not None else None, environ=environ or {}, cwd=tmp_path, **options
            )
        )

    return load_text


@pytest.fixture
def found(load):
    """Load a config and return its problems as (code, path, line, column)."""

    def problems_of(text, **options):
        return [(p.code, p.path, p.line, p.column) for p in load(text, **options).problems]

    return problems_of
