"""One call's way, read in this order: http · request · answer · keys · cache · budget · route · attempt."""
