"""The subcommands of `thyroidsynth`, one file each."""
