"""The audit log: a file to which lines are only ever added, each one holding the hash of the last.

``chain`` says what a line is and whether lines follow from each other, ``log`` writes them for an
authority, ``files`` reads and replaces the files, ``checking`` reads a whole log again.
"""

from annul.audit.checking import Checked, check
from annul.audit.files import rotate
from annul.audit.log import AuditLog

__all__ = ["AuditLog", "Checked", "check", "rotate"]
