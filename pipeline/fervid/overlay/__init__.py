"""What is drawn into pictures of a video: boxes and labels of faces, and the timeline below. No file, no run."""
