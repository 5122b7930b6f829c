"""What the X-Sumo headers say about all messages of a request. The settings keep to their limits."""

from __future__ import annotations

from job_history.accounts.destination_settings import SumoLogicDestinationSettings


def headers_of(settings: SumoLogicDestinationSettings) -> dict[str, str]:
    """Return the headers that the settings ask for; what they leave out, the source itself decides."""
    headers = {
        "X-Sumo-Category": settings.source_category,
        "X-Sumo-Name": settings.source_name,
        "X-Sumo-Host": settings.source_host,
        "X-Sumo-Fields": ",".join(f"{key}={value}" for key, value in sorted(settings.fields.items())),
    }
    return {name: value for name, value in headers.items() if value}
