"""What every room may stand on: types, shipped files, boxes, threads, log lines. Knows no other room but storage."""
