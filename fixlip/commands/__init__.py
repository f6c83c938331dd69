"""The commands of the command line: each file adds its parser and runs it; nothing here is imported by the library."""
