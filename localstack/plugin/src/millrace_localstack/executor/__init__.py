"""Runs functions of the runtimes `provided.*` as processes, through the Lambda Runtime API."""
