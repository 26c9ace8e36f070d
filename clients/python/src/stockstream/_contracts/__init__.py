"""Generated from proto/ by proto/generate.sh: the messages on the wire."""
