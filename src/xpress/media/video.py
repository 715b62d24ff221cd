"""Video files in and out: streaming, with rotation, timing and sound kept."""

from xpress.media.video_reader import VideoReader
from xpress.media.video_writer import VIDEO_SUFFIXES, VideoWriter

__all__ = ["VIDEO_SUFFIXES", "VideoReader", "VideoWriter"]
