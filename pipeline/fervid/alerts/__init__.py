"""From timelines to events that a person can review. Rules run on stored tables; nothing here decodes or detects.

An event says that a face looks a certain way for some time ("anger-like expression, needs review"), never what a person
feels or is about to do.
"""
