"""Live view: both halves in one loop on the newest frame of a camera, a stream or a file, with causal smoothing.

source     a webcam, an address or a file as frames with their times; connects again when it is lost
slot       the one place where a frame waits: the newest wins
session    the loop: take a frame, find, score, follow, smooth, judge
alarms     rules over what is live
record     the same tables as an analysis writes
picture    what is drawn; window, server: where it is shown
"""
