"""`install` is an entry point in the group localstack.hooks.on_infra_start."""

from localstack.runtime import hooks

from millrace_localstack.cloudformation import alias, references


# With a name: hooks are known by it, and by default it would be that of the function.
@hooks.on_infra_start(name="millrace_cloudformation")
def install() -> None:
    """Puts the patches in place."""
    references.apply()
    alias.apply()
