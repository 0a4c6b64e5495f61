"""The patches of LocalStack 4.14, each with its reason. `install` is an entry point in the
group localstack.hooks.on_infra_start.

MILLRACE_ALARM_INTERVAL_SECONDS: seconds between two looks at all alarms (default 1).
Most find nothing to do: an alarm is evaluated once for each end of its periods.
"""

import logging
import math
import os
import time
from collections.abc import Mapping

from localstack.runtime import hooks

from millrace_localstack.cloudwatch import patches_alarms, patches_metrics
from millrace_localstack.cloudwatch.evaluator import Evaluator
from millrace_localstack.cloudwatch.running import RunningService

INTERVAL = "MILLRACE_ALARM_INTERVAL_SECONDS"
LOG = logging.getLogger(__name__)


def interval(environment: Mapping[str, str]) -> float:
    """Seconds between evaluations; raises ValueError for what is no positive number."""
    text = environment.get(INTERVAL) or "1"
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{INTERVAL} is {text!r}: it must be a positive number of seconds")
    return seconds


# The name must be its own: of two hooks with one name LocalStack silently drops one.
@hooks.on_infra_start(name="millrace_cloudwatch")
def install() -> None:
    """Puts all patches in place; the evaluation begins when LocalStack loads CloudWatch."""
    seconds = interval(os.environ)
    service = RunningService(lambda provider: Evaluator(provider, time.time), seconds)
    patches_alarms.apply(service)
    patches_metrics.apply(service)
    LOG.info("Millrace's CloudWatch is in place; alarms are looked at every %g s", seconds)
