"""The local models that come with membench, a file each."""
