"""One run: sessions, what they deploy, the pre-flight, options and progress."""
