"""Settings that are given, not read."""

from __future__ import annotations

from functools import cached_property

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from billing.settings import Settings


class GivenSettings(Settings):
    """What whoever makes them says, by the fields' names; neither the environment nor `.env` has a say in it."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the library's shape, here and below)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @cached_property
    def surroundings(self) -> dict[str, str | None]:
        return {}
