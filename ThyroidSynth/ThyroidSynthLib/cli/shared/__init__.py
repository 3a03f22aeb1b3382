"""Options, console output and progress that the subcommands share."""
