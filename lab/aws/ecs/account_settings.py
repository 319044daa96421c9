"""The operations on account settings, of which there is one set for each place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.state import page
from lab.aws.errors import AwsError

if TYPE_CHECKING:
    from lab.aws.ecs.state import Ecs

    Json = dict[str, Any]

__all__ = [
    "delete_account_setting",
    "list_account_settings",
    "put_account_setting",
    "put_account_setting_default",
]

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html
DEFAULTS: Final = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "fargateEventWindows": "disabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "off",
    "taskLongArnFormat": "enabled",
}
# The values of those that are not just switched on and off.
SWITCH: Final = ("enabled", "disabled")
OTHER_VALUES: Final = {
    "containerInsights": ("enhanced", *SWITCH),
    "defaultLogDriverMode": ("blocking", "non-blocking"),
    "fargateTaskRetirementWaitPeriod": ("0", "7", "14"),
    "guardDutyActivate": ("on", "off"),
    "tagResourceAuthorization": ("on", "off"),
}


async def list_account_settings(ecs: Ecs, request: Json) -> Json:
    """List the account's settings: those that were changed, or all that hold."""
    name, value = request.get("name"), request.get("value")
    if value and not name:
        raise AwsError(
            "InvalidParameterException", "A value can be given together with a name only."
        )
    values = {**(DEFAULTS if request.get("effectiveSettings") else {}), **ecs.account_settings}
    settings = [
        _setting(ecs, each, values[each])
        for each in sorted(values)
        if name in (None, each) and value in (None, values[each])
    ]
    some, token = page(request, settings, most=10)
    return {"settings": some, "nextToken": token}


async def put_account_setting(ecs: Ecs, request: Json) -> Json:
    """Change a setting of the account."""
    name, value = request["name"], request["value"]
    values = OTHER_VALUES.get(name, SWITCH)
    if value not in values:
        raise AwsError(
            "InvalidParameterException", f"{value} should be one of [{','.join(values)}]"
        )
    ecs.account_settings[name] = value
    return {"setting": _setting(ecs, name, value)}


async def put_account_setting_default(ecs: Ecs, request: Json) -> Json:
    """Change a setting for all users of the account, of whom there is one here."""
    return await put_account_setting(ecs, request)


async def delete_account_setting(ecs: Ecs, request: Json) -> Json:
    """Go back to the default of a setting."""
    name = request["name"]
    ecs.account_settings.pop(name, None)
    return {"setting": _setting(ecs, name, DEFAULTS[name])}


def _setting(ecs: Ecs, name: str, value: str) -> Json:
    principal = f"arn:aws:iam::{ecs.place.account}:root"
    return {"name": name, "value": value, "principalArn": principal, "type": "user"}
