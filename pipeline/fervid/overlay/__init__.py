"""Drawing into video frames: boxes and labels of faces, and the timeline below. No files, no runs."""
