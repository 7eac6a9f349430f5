"""The check before a push: does the exported version, served here, answer rightly and in time?"""
