"""Files that appear whole or not at all, alone or as a set: the one place that knows how."""

from alignment.files.rooms import Content, private_folder
from alignment.files.sets import Replacement, recover, replacing
from alignment.files.single import add_files, write_file

__all__ = [
    "Content",
    "Replacement",
    "add_files",
    "private_folder",
    "recover",
    "replacing",
    "write_file",
]
