"""Reads the source of tests: which there are, what they check, which are off.

Python is parsed; other languages are scanned with strings and comments taken out. It is
told what somebody did to a test, not whether the test is good.
"""
