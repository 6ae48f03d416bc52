"""Live view: both halves in one loop on the newest frame of a camera, a stream or a file, with causal smoothing.

source     a webcam, an address or a file as frames with their times; reconnects when it is lost
slot       a one-frame buffer: the newest wins
session    the loop: take a frame, detect, classify, track, smooth, evaluate
alarms     alert rules on live frames
record     the same tables as an analysis writes
picture    draws the view; window, server: show it
"""
