"""One call's way, read in this order: http · answer · keys · cache · budget · route · attempt."""
